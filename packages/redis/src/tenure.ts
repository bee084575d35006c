/** A tenure: a session, and the epoch under which it owns the store. It begins with a claim and ends with a release. */

import { randomUUID } from "node:crypto";
import { AdapterError } from "@leakdb/core/adapter";
import type { Connection } from "./connection.js";
import type { Settings } from "./options.js";
import { type Claim, claim, connectionName, type Owner, release, tellReplicas } from "./ownership.js";
import { redisError, unchangedKind } from "./redis-errors.js";
import { type SyncMode, syncModeOf } from "./server-check.js";
import { Session } from "./session.js";

export interface Tenure extends Claim {
  readonly session: Session;
  readonly syncMode: SyncMode | undefined;
}

export interface Beginning {
  /** Of the store, for messages. */
  readonly name: string;
  readonly settings: Settings;
  readonly owner: Owner;
  /** Ends the beginning. */
  readonly signal: AbortSignal;
  /** Ends later attempts to connect. */
  readonly life: AbortSignal;
  report(error: AdapterError): void;
}

/** Connects and claims the store, whose former commands then land no more. @throws AdapterError; nothing was changed */
export async function beginTenure({
  name,
  settings,
  owner,
  signal,
  life,
  report,
}: Beginning): Promise<Tenure> {
  let session: Session | undefined;
  let epoch: string | undefined;
  try {
    session = await Session.open(settings, connectionName(owner.id), signal, life);
    const claimed = await claim(session, settings, owner, randomUUID(), signal);
    ({ epoch } = claimed);
    const missing = await tellReplicas(session);
    if (missing > 0) {
      const message = `${name}: ${missing} replica(s) have not confirmed who owns the store: should one be promoted now, a former owner could still write`;
      report(new AdapterError(message, { kind: "transient" }));
    }
    const [first] = await session.masters();
    const syncMode = settings.synced ? await syncModeOf(first as Connection, session.info) : undefined;
    signal.throwIfAborted();
    return { ...claimed, session, syncMode };
  } catch (error) {
    // Nothing was sent under the epoch; a claim that cannot be taken back ends with its lease.
    if (session !== undefined && epoch !== undefined) await release(session, epoch).catch(() => undefined);
    session?.destroy(error as Error);
    if (signal.aborted) throw signal.reason;
    throw redisError(name, "open", error, unchangedKind(error));
  }
}

/**
 * Has a server say that the epoch is over, so that nothing lands that was sent under it.
 * @throws AdapterError, ambiguous, while none does
 */
export async function proveOver(
  name: string,
  settings: Settings,
  owner: Owner,
  epoch: string,
): Promise<void> {
  const signal = AbortSignal.timeout(settings.connectTimeoutMs + settings.commandTimeoutMs);
  let session: Session | undefined;
  try {
    session = await Session.open(settings, connectionName(owner.id), signal, signal);
    await release(session, epoch);
  } catch (error) {
    throw redisError(name, "what was sent may still be stored; close it again", error, "ambiguous");
  } finally {
    session?.destroy(new Error("the store was closed"));
  }
}
