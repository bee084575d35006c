/**
 * How the adapter comes by a tenure, which is a session and the epoch it has, and how a tenure ends.
 *
 * Keeps: what was sent and not answered is remembered as unproven until a server has said that the epoch is over under
 * which it was sent. A claim is sent for the epoch that its sender has read, so it is over with that epoch as well.
 */

import { randomUUID } from "node:crypto";
import { type AdapterContext, AdapterError } from "@leakdb/core/adapter";
import type { Connection } from "./connection.js";
import type { Settings } from "./options.js";
import {
  type Claim,
  claim,
  connectionName,
  disclaim,
  type Owner,
  release,
  tellReplicas,
} from "./ownership.js";
import { redisError, unchanged } from "./redis-errors.js";
import { type SyncMode, syncModeOf } from "./server-check.js";
import { Session } from "./session.js";

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
  /** The last epoch that this owner has brought about. */
  #epoch = 0;
  /** An epoch under which something was sent that nobody has answered and that may still land. */
  #unproven: string | undefined;
  /** A claim may still land. */
  #isClaimUnproven = false;

  constructor(name: string, settings: Settings, owner: Owner) {
    this.#name = name;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Connects and claims the store, whose former commands then land no more. @param life of the connections. */
  async begin({ report }: AdapterContext, signal: AbortSignal, life: AbortSignal): Promise<Tenure> {
    let session: Session | undefined;
    let claimed: Claim | undefined;
    const giveUp = (): void => session?.destroy(signal.reason);
    try {
      session = await Session.open(this.#settings, connectionName(this.#owner.id), signal, life);
      signal.addEventListener("abort", giveUp, { once: true });
      const settings = { ...this.#settings, takeover: this.#settings.takeover && !this.#hasOwned };
      claimed = await claim(session, settings, this.#owner, randomUUID(), signal);
      const isContinued = this.#claimed(claimed);
      const missing = await tellReplicas(session);
      if (missing > 0) {
        const message = `${this.#name}: ${missing} replica(s) have not confirmed who owns the store: should one be promoted now, a former owner could still write`;
        report(new AdapterError(message, { kind: "transient" }));
      }
      const [first] = await session.masters();
      const syncMode = this.#settings.synced
        ? await syncModeOf(first as Connection, session.info)
        : undefined;
      signal.throwIfAborted();
      return { ...claimed, session, syncMode, isContinued };
    } catch (error) {
      if (session !== undefined) await this.#giveBack(session, claimed, error as Error);
      if (signal.aborted) throw signal.reason;
      throw redisError(this.#name, "open", error, unchanged(error));
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Gives the store up, if the server can still be told. */
  async end(tenure: Tenure): Promise<void> {
    const { session, epoch } = tenure;
    try {
      // What is in the way of a connection is not waited for: it has the old epoch.
      if (session.isUp) {
        await this.#release(session, epoch);
        this.#unproven = undefined;
        session.destroy(new Error("the store was closed"));
        return;
      }
    } catch (error) {
      session.destroy(error as Error);
    }
    this.abandon(tenure, new Error("the store was closed"));
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
      session = await Session.open(this.#settings, connectionName(this.#owner.id), signal, signal);
      if (this.#unproven !== undefined) await this.#release(session, this.#unproven);
      this.#unproven = undefined;
      if (this.#isClaimUnproven) {
        const claimed = await disclaim(session, this.#settings, this.#owner, signal);
        if (claimed !== undefined && this.#isContinued(claimed)) this.#epoch = Number(claimed.epoch) + 1;
      }
      this.#isClaimUnproven = false;
    } catch (error) {
      throw redisError(this.#name, "what was sent may still be stored; close it again", error, "ambiguous");
    } finally {
      session?.destroy(new Error("the store was closed"));
    }
  }

  /** @returns whether nobody else has owned the store since this owner did. */
  #claimed(claimed: Claim): boolean {
    const isContinued = this.#isContinued(claimed);
    this.#hasOwned = true;
    this.#epoch = Number(claimed.epoch);
    this.#unproven = undefined;
    this.#isClaimUnproven = false;
    return isContinued;
  }

  #isContinued({ epoch, ownerBefore }: Pick<Claim, "epoch" | "ownerBefore">): boolean {
    return ownerBefore === this.#owner.id || Number(epoch) <= this.#epoch + 1;
  }

  async #release(session: Session, epoch: string): Promise<void> {
    if (await release(session, epoch)) this.#raised(epoch);
  }

  /** The epoch was this owner's, and its release has raised it. */
  #raised(epoch: string): void {
    if (Number(epoch) === this.#epoch) this.#epoch += 1;
  }

  async #giveBack(session: Session, claimed: Claim | undefined, cause: Error): Promise<void> {
    if (claimed === undefined) this.#isClaimUnproven ||= session.isUncertain;
    else {
      await this.#release(session, claimed.epoch).catch(() => {
        this.#unproven = claimed.epoch;
      });
    }
    session.destroy(cause);
  }
}
