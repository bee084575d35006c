/**
 * Who owns the store: an epoch in its mark, which every script of its owner has to know, and a lease.
 *
 *     open ──▶ claim: no owner, or its lease is over ──────────────▶ owner, with a higher epoch
 *                └─ an owner: a connection of its is on a server ──▶ LEAKDB_LOCKED
 *                             └─ none for a second ────────────────▶ owner: that process has ended
 *
 * The epoch is the fence: a script with another one does nothing. The lease and the names of connections only say whom to
 * refuse. So a mistake of theirs costs an owner its store, and no record its truth.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { AdapterError } from "@leakdb/core/adapter";
import type { Settings } from "./options.js";
import { fenced, replyCode } from "./redis-errors.js";
import { ADOPT, CLAIM, RELEASE, RENEW, TOUCH } from "./scripts.js";
import { CONTROL, type Session } from "./session.js";

const SCHEMA = "1";
/** So long nobody may see a connection of the owner's. It is time enough for a reconnection after a cut. */
const ABSENCE_MS = 1_000;
const LOOK_AGAIN_MS = 100;
const REPLICAS_WAIT_MS = 500;

export interface Owner {
  /** Made at random, one for each adapter. */
  readonly id: string;
  /** For people: the machine and the process. */
  readonly label: string;
}

export interface Claim {
  readonly epoch: string;
  readonly storeId: string;
  readonly highVersion: number;
  /** The owner before, by its id; `""` for none. */
  readonly ownerBefore: string;
}

export function connectionName(ownerId: string): string {
  return `leakdb:${ownerId}`;
}

/**
 * Makes `owner` the store's owner, under an epoch that no command sent before has.
 * @throws AdapterError LEAKDB_LOCKED, LEAKDB_NOT_SUPPORTED, LEAKDB_CORRUPTION
 */
export async function claim(
  session: Session,
  settings: Settings,
  owner: Owner,
  newStoreId: string,
  signal: AbortSignal,
): Promise<Claim> {
  const [epoch, storeId, high, complete, ownerBefore] = await claimHome(
    session,
    settings,
    owner,
    newStoreId,
    signal,
  );
  let highVersion = Number(high);
  const { partitions } = session.layout;
  if (partitions > 1) {
    const others = Array.from({ length: partitions - 1 }, (_, index) => index + 1);
    const highs = await Promise.all(
      others.map((partition) => adopt(session, partition, epoch, storeId, complete)),
    );
    highVersion = Math.max(highVersion, ...highs);
  }
  if (complete !== "1") await renew(session, settings, epoch);
  return { epoch, storeId, highVersion, ownerBefore };
}

type Claimed = [epoch: string, storeId: string, high: string, complete: string, ownerBefore: string];

/**
 * A claim is for the epoch that was read before it. So one that comes late, out of some buffer, finds another epoch and does
 * nothing; else it would take the store from the very owner that had sent it, and has claimed it again since.
 */
async function claimHome(
  session: Session,
  settings: Settings,
  owner: Owner,
  newStoreId: string,
  signal: AbortSignal,
): Promise<Claimed> {
  const { layout } = session;
  let replaced = settings.takeover ? "*" : "";
  let read = "";
  let absentMs = 0;
  for (;;) {
    const form = [SCHEMA, layout.partitions];
    const args = [owner.id, settings.leaseMs, newStoreId, owner.label, replaced, ...form, read];
    const [answer, ...rest] = await session.run(CONTROL, 0, CLAIM, [layout.markOf(0)], args);
    if (answer === "OK") return rest as Claimed;
    if (answer === "FREE") {
      signal.throwIfAborted();
      [read] = rest as [string];
      continue;
    }
    if (answer !== "LOCKED") throw otherForm(answer as string, rest[0] as string, layout.partitions);
    const [holder, label, leftMs] = rest as [string, string, string];
    const isAway = absentMs <= ABSENCE_MS && !(await hasConnections(session, holder));
    if (!isAway) throw locked(label, leftMs);
    if (absentMs === ABSENCE_MS) replaced = holder;
    else await delay(LOOK_AGAIN_MS, undefined, { signal });
    absentMs += LOOK_AGAIN_MS;
  }
}

/**
 * After it no claim that was sent before does anything.
 * @returns what was claimed for that and given back; `undefined` where somebody else owns the store
 */
export async function disclaim(
  session: Session,
  settings: Settings,
  owner: Owner,
  signal: AbortSignal,
): Promise<Pick<Claim, "epoch" | "ownerBefore"> | undefined> {
  try {
    const own = { ...settings, takeover: false };
    const [epoch, , , , ownerBefore] = await claimHome(session, own, owner, randomUUID(), signal);
    await session.run(CONTROL, 0, RELEASE, [session.layout.markOf(0)], [epoch]);
    return { epoch, ownerBefore };
  } catch (error) {
    if ((error as AdapterError).code === "LEAKDB_LOCKED") return undefined;
    throw error;
  }
}

function locked(label: string, leftMs: string): AdapterError {
  const message = `the store is owned by ${label}: close it there. If that machine is gone, its lease ends in ${leftMs} ms; to take the store over from a living owner, open it with takeover: true`;
  return new AdapterError(message, { kind: "transient", code: "LEAKDB_LOCKED" });
}

function otherForm(what: string, found: string, partitions: number): AdapterError {
  const message =
    what === "SCHEMA"
      ? `the store has the form ${found}, and this version of @leakdb/redis knows form ${SCHEMA}: use a later one`
      : `the store was made with ${found} partition(s), where this server wants ${partitions}: move it with copy(), from where it was made`;
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_NOT_SUPPORTED" });
}

/** False only when every server says so. */
async function hasConnections(session: Session, ownerId: string): Promise<boolean> {
  const name = ` name=${connectionName(ownerId)} `;
  try {
    const lists = await Promise.all((await session.masters()).map((master) => master.call("CLIENT", "LIST")));
    return lists.some((list) => String(list).includes(name));
  } catch (error) {
    // Who may not look goes by the lease alone.
    if (replyCode(error) === "NOPERM") return true;
    throw error;
  }
}

async function adopt(
  session: Session,
  partition: number,
  epoch: string,
  storeId: string,
  complete: string,
): Promise<number> {
  const mark = session.layout.markOf(partition);
  const [answer, found] = await session.run(CONTROL, partition, ADOPT, [mark], [epoch, storeId, complete]);
  if (answer === "OK") return Number(found);
  if (answer === "FENCED") throw fenced(mark, "");
  const what = answer === "GONE" ? "is gone, and its records with it" : "belongs to another store";
  throw new AdapterError(`the mark ${JSON.stringify(mark)} ${what}: restore a backup`, {
    kind: "permanent",
    code: "LEAKDB_CORRUPTION",
  });
}

/** @returns what the script answers */
export function renew(session: Session, settings: Settings, epoch: string): Promise<string[]> {
  return session.run(CONTROL, 0, RENEW, [session.layout.markOf(0)], [epoch, settings.leaseMs]);
}

/**
 * After it nothing that was sent under the epoch does anything.
 * @returns whether the epoch was the store's until now
 */
export async function release(session: Session, epoch: string): Promise<boolean> {
  const partitions = Array.from({ length: session.layout.partitions }, (_, partition) => partition);
  const [home] = await Promise.all(
    partitions.map((partition) =>
      session.run(CONTROL, partition, RELEASE, [session.layout.markOf(partition)], [epoch]),
    ),
  );
  return home?.[0] === "OK";
}

/** Waits until the replicas know the epoch. @returns how many of them do not; 0 where nobody may ask. */
export async function tellReplicas(session: Session): Promise<number> {
  let missing = 0;
  for (const master of await session.masters()) {
    try {
      const role = (await master.call("ROLE")) as [string, number, unknown[]];
      const replicas = role[0] === "master" ? role[2].length : 0;
      if (replicas > 0) missing += replicas - Number(await master.call("WAIT", replicas, REPLICAS_WAIT_MS));
    } catch (error) {
      if (replyCode(error) !== "NOPERM") throw error;
    }
  }
  return missing;
}

/**
 * Waits until every master has on its disk what it acknowledged before. A server waits for the writes of the connection that
 * asks, and for all before them: so there is one first.
 * @returns the answer of a script that was refused
 */
export async function syncDisks(
  session: Session,
  epoch: string,
  timeoutMs: number,
): Promise<readonly string[] | undefined> {
  const { layout, topology } = session;
  const partitions = Array.from({ length: layout.partitions }, (_, partition) => partition);
  const byMaster = new Map(partitions.map((each) => [topology.addressOf(layout.slotOf(each)), each]));
  for (const partition of byMaster.values()) {
    const answer = await session.run(CONTROL, partition, TOUCH, [layout.markOf(partition)], [epoch]);
    if (answer[0] !== "OK") return answer;
    const [onDisk] = await session.waitForDisk(partition, timeoutMs);
    if (onDisk !== 1) {
      const message = `the server had not synced its append-only file after ${timeoutMs} ms`;
      throw new AdapterError(message, { kind: "transient" });
    }
  }
  return undefined;
}
