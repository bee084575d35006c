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
import { markOfOtherForm } from "./layout.js";
import { addressText, type Settings } from "./options.js";
import { fenced, replyCode } from "./redis-errors.js";
import { ADOPT, CLAIM, RAISE, RELEASE, RENEW, TOUCH } from "./scripts.js";
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
  /** By partition: the highest version that was acknowledged. */
  readonly highs: readonly number[];
  /** The owner before, by its id; `""` for none. */
  readonly ownerBefore: string;
  /** The epoch before. */
  readonly epochBefore: number;
}

/** What an owner has claimed since it opened the store. */
export interface OwnEpochs {
  /** 0 before the first. */
  highest: number;
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
  own: OwnEpochs,
): Promise<Claim> {
  await mustHaveNoOtherForm(session, settings);
  const home = await claimHome(session, settings, owner, newStoreId, signal);
  const [claimed, storeId, high, complete, ownerBefore] = home;
  const epochBefore = Number(claimed) - 1;
  let epoch = claimed;
  for (;;) {
    const ownBefore = own.highest;
    own.highest = Math.max(own.highest, Number(epoch));
    const adopted = await adoptAll(session, epoch, storeId, complete);
    if (!("ahead" in adopted)) {
      if (complete !== "1") await renew(session, settings, epoch);
      return { epoch, storeId, highs: [Number(high), ...adopted.highs], ownerBefore, epochBefore };
    }
    // Whoever was owner already and meets an epoch that is not its own, was taken over; only the first mark has forgotten it.
    if (ownBefore > 0 && adopted.ahead > ownBefore) throw fenced(session.layout.markOf(0), "");
    epoch = await raise(session, epoch, adopted.ahead);
  }
}

/**
 * Brings the marks of all other partitions to the epoch.
 * @returns the highest version of each; or the highest epoch of those that are ahead, where a failover has lost some
 */
async function adoptAll(
  session: Session,
  epoch: string,
  storeId: string,
  complete: string,
): Promise<{ readonly highs: number[] } | { readonly ahead: number }> {
  const others = Array.from({ length: session.layout.partitions - 1 }, (_, index) => index + 1);
  const answers = await Promise.all(
    others.map(async (partition) => {
      const mark = session.layout.markOf(partition);
      const answer = await session.run(CONTROL, partition, ADOPT, [mark], [epoch, storeId, complete]);
      if (answer[0] === "OK" || answer[0] === "AHEAD") return answer as ["OK" | "AHEAD", string];
      const what = answer[0] === "GONE" ? "is gone, and its records with it" : "belongs to another store";
      throw new AdapterError(`the mark ${JSON.stringify(mark)} ${what}: restore a backup`, {
        kind: "permanent",
        code: "LEAKDB_CORRUPTION",
      });
    }),
  );
  const ahead = answers.flatMap(([answer, found]) => (answer === "AHEAD" ? [Number(found)] : []));
  if (ahead.length > 0) return { ahead: Math.max(...ahead) };
  return { highs: answers.map(([, high]) => Number(high)) };
}

async function raise(session: Session, epoch: string, above: number): Promise<string> {
  const mark = session.layout.markOf(0);
  const [answer, found = "", label = ""] = await session.run(CONTROL, 0, RAISE, [mark], [epoch, above]);
  if (answer === "OK") return found;
  throw fenced(mark, label);
}

/** A store's names on one server are not those in a Cluster: nobody may begin a second one beside it. */
async function mustHaveNoOtherForm(session: Session, { keyPrefix }: Settings): Promise<void> {
  const { isCluster } = session.topology;
  const mark = markOfOtherForm(keyPrefix, isCluster);
  if (mark === undefined || (await session.typeOf(mark)) !== "hash") return;
  const [made, wanted] = isCluster ? ["on one server", "a Cluster"] : ["in a Cluster", "one server"];
  const message = `the store was made ${made}, and its records have other names than ${wanted} wants: open it as it was made and move it with copy(), or choose another keyPrefix`;
  throw new AdapterError(message, { kind: "permanent", code: "LEAKDB_NOT_SUPPORTED" });
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

/** Whether nobody else has owned the store since `highest` was the highest epoch that the owner had brought about. */
export function isContinued(
  { epochBefore, ownerBefore }: Pick<Claim, "epochBefore" | "ownerBefore">,
  owner: Owner,
  highest: number,
): boolean {
  return ownerBefore === owner.id || (ownerBefore === "" && epochBefore <= highest);
}

/** After it no claim that was sent before does anything: it claims the store once more, and gives it back. */
export async function disclaim(
  session: Session,
  settings: Settings,
  owner: Owner,
  signal: AbortSignal,
  own: OwnEpochs,
): Promise<void> {
  try {
    const asOwner = { ...settings, takeover: false };
    const [epoch, , , , ownerBefore] = await claimHome(session, asOwner, owner, randomUUID(), signal);
    const isOurs = isContinued({ epochBefore: Number(epoch) - 1, ownerBefore }, owner, own.highest);
    // With the release that follows, whether that is answered or not.
    if (isOurs) own.highest = Math.max(own.highest, Number(epoch) + 1);
    await session.run(CONTROL, 0, RELEASE, [session.layout.markOf(0)], [epoch]);
  } catch (error) {
    // Then it is over anyway.
    if ((error as AdapterError).code !== "LEAKDB_LOCKED") throw error;
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

/** @returns what the script answers */
export function renew(session: Session, settings: Settings, epoch: string): Promise<string[]> {
  return session.run(CONTROL, 0, RENEW, [session.layout.markOf(0)], [epoch, settings.leaseMs]);
}

/** After it nothing that was sent under the epoch does anything. */
export async function release(session: Session, epoch: string): Promise<void> {
  const partitions = Array.from({ length: session.layout.partitions }, (_, partition) => partition);
  await Promise.all(
    partitions.map((partition) =>
      session.run(CONTROL, partition, RELEASE, [session.layout.markOf(partition)], [epoch]),
    ),
  );
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
  const masterOf = (partition: number): string => {
    const address = topology.addressOf(layout.slotOf(partition));
    return address === undefined ? "" : addressText(address);
  };
  const byMaster = new Map(partitions.map((each) => [masterOf(each), each]));
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
