/**
 * How the adapter comes by a tenure, which is a session and the epoch it has, and how a tenure ends.
 *
 * Keeps: what was sent and not answered is remembered as unproven until a server has said that the epoch is over under
 * which it was sent. A claim is sent for the epoch that its sender has read, so it is over with that epoch as well.
 */

import { randomUUID } from "node:crypto";
import { type AdapterContext, AdapterError } from "@leakdb/core/adapter";
import type { Address, Settings } from "./options.js";
import {
  type Claim,
  claim,
  connectionName,
  disclaim,
  isContinued,
  type OwnEpochs,
  type Owner,
  release,
  tellReplicas,
} from "./ownership.js";
import { redisError, unchanged } from "./redis-errors.js";
import { infoOf, type SyncMode, syncModeOf } from "./server-check.js";
import { Session } from "./session.js";
import { distinct } from "./topology.js";

/** A session and what it was given. */
export interface Tenure extends Claim {
  readonly session: Session;
  readonly syncMode: SyncMode | undefined;
  /** Nobody else has owned the store since this owner did. */
  readonly isContinued: boolean;
}

export class Tenancy {
  readonly #name: string;
  readonly #settings: Settings;
  readonly #owner: Owner;
  /** The store was this owner's once: it is taken from nobody again. */
  #hasOwned = false;
  /** The highest epoch that this owner has brought about, since it opened the store. */
  #own: OwnEpochs = { highest: 0 };
  /** Where a session may begin. */
  #seeds: readonly Address[];
  /** An epoch under which something was sent that nobody has answered and that may still land. */
  #unproven: string | undefined;
  /** A claim may still land. */
  #isClaimUnproven = false;

  constructor(name: string, settings: Settings, owner: Owner) {
    this.#name = name;
    this.#settings = settings;
    this.#owner = owner;
    this.#seeds = settings.seeds;
  }

  /**
   * Connects and claims the store, whose former commands then land no more.
   * @param life of the connections.
   * @param how `continues`: memory holds what an earlier tenure has written. `givesBack`: the store is given up when it was
   * claimed and the rest fails; one that reconnects stays its owner.
   */
  async begin(
    { report }: AdapterContext,
    signal: AbortSignal,
    life: AbortSignal,
    how: { readonly continues: boolean; readonly givesBack: boolean },
  ): Promise<Tenure> {
    let session: Session | undefined;
    let claimed: Claim | undefined;
    const giveUp = (): void => session?.destroy(signal.reason);
    try {
      session = await Session.open(this.#settings, this.#connectionName, this.#seeds, signal, life);
      signal.addEventListener("abort", giveUp, { once: true });
      await session.checkServers();
      if (!how.continues) this.#own = { highest: 0 };
      const before = this.#own.highest;
      const settings = { ...this.#settings, takeover: this.#settings.takeover && !this.#hasOwned };
      claimed = await claim(session, settings, this.#owner, randomUUID(), signal, this.#own);
      this.#hasOwned = true;
      this.#unproven = undefined;
      this.#isClaimUnproven = false;
      const missing = await tellReplicas(session);
      if (missing > 0) report(replicasBehind(this.#name, missing));
      const syncMode = this.#settings.synced ? await syncModeOfAll(session) : undefined;
      signal.throwIfAborted();
      this.#seeds = seedsAfter(session, this.#settings);
      return { ...claimed, session, syncMode, isContinued: isContinued(claimed, this.#owner, before) };
    } catch (error) {
      if (session !== undefined) await this.#giveBack(session, claimed, how.givesBack, error as Error);
      if (signal.aborted) throw signal.reason;
      throw redisError(this.#name, "open", error, unchanged(error));
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Gives the store up, if the server can still be told. */
  async end(tenure: Tenure): Promise<void> {
    const { session, epoch } = tenure;
    // What gives the store up does no harm whenever it lands; what was sent before may.
    if (session.isUncertain) this.#unproven = epoch;
    try {
      // What is in the way of a connection is not waited for: it has the old epoch.
      if (session.isUp) {
        await this.#release(session, epoch);
        this.#unproven = undefined;
      }
      session.destroy(new Error("the store was closed"));
    } catch (error) {
      session.destroy(error as Error);
    }
  }

  /** Ends the session without a word to the server. */
  abandon({ session, epoch }: Tenure, cause: Error): void {
    if (session.isUncertain) this.#unproven = epoch;
    session.destroy(cause);
  }

  /** Resolves when nothing can land any more. @throws AdapterError, ambiguous, while no server says so. */
  async proveDead(): Promise<void> {
    if (this.#unproven === undefined && !this.#isClaimUnproven) return;
    const { connectTimeoutMs, commandTimeoutMs } = this.#settings;
    const signal = AbortSignal.timeout(connectTimeoutMs + commandTimeoutMs);
    let session: Session | undefined;
    try {
      session = await Session.open(this.#settings, this.#connectionName, this.#seeds, signal, signal);
      if (this.#unproven !== undefined) await this.#release(session, this.#unproven);
      this.#unproven = undefined;
      if (this.#isClaimUnproven) {
        await disclaim(session, this.#settings, this.#owner, signal, this.#own);
      }
      this.#isClaimUnproven = false;
    } catch (error) {
      throw redisError(this.#name, "what was sent may still be stored; close it again", error, "ambiguous");
    } finally {
      session?.destroy(new Error("the store was closed"));
    }
  }

  get #connectionName(): string {
    return connectionName(this.#owner.id);
  }

  /** Answered or not, it may have raised the epoch, once. */
  async #release(session: Session, epoch: string): Promise<void> {
    if (Number(epoch) === this.#own.highest) this.#own.highest += 1;
    await release(session, epoch);
  }

  async #giveBack(
    session: Session,
    claimed: Claim | undefined,
    givesBack: boolean,
    cause: Error,
  ): Promise<void> {
    if (claimed === undefined) this.#isClaimUnproven ||= session.isUncertain;
    else if (givesBack) {
      await this.#release(session, claimed.epoch).catch(() => {
        this.#unproven = claimed.epoch;
      });
    }
    session.destroy(cause);
  }
}

/** Where to begin next: what answered last comes first, then what the user has named, then what the Cluster has. */
function seedsAfter(session: Session, { seeds }: Settings): readonly Address[] {
  if (session.seed === undefined) return seeds;
  return distinct([session.seed, ...seeds, ...session.topology.nodes]);
}

/** Of several servers all have to be able; they wait in the way of the one that can do least. */
async function syncModeOfAll(session: Session): Promise<SyncMode> {
  const masters = await session.masters();
  const modes = await Promise.all(masters.map(async (master) => syncModeOf(master, await infoOf(master))));
  return modes.includes("WAITAOF") ? "WAITAOF" : "always";
}

function replicasBehind(name: string, missing: number): AdapterError {
  const message = `${name}: ${missing} replica(s) have not confirmed who owns the store: should one be promoted now, a former owner could still write`;
  return new AdapterError(message, { kind: "transient" });
}
