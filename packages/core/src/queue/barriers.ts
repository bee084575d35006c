/**
 * Everyone who waits for W(level): one heap of waiters by version, and the waiters for single keys. W itself is
 * computed by the owner, from what is not settled yet; here it is compared and waiters are let go (I6).
 *
 * A waiter at level `synced` first waits for `stored`, then for a sync of the adapter that began afterwards; one
 * sync serves all who wait for it.
 */

import { LeakDBError } from "../errors.js";
import { startWait, type WaitOptions } from "../wait.js";
import { Crowd } from "./crowd.js";
import type { Barrier, Waiter } from "./waiter.js";
import { WaiterLine } from "./waiter-line.js";

export interface BarrierOwner {
  /** W(stored): every mutation up to it is stored, or a dead letter. */
  storedUpTo(): number;
  /** The version of the newest mutation of the key that waits or is under way; `undefined` for none. */
  unsettledVersion(key: string): number | undefined;
  /** The error for the dead letters that the barrier covers, if any stand. */
  failure(version: number, key: string | undefined): LeakDBError | undefined;
  sync(): Promise<void>;
}

export class Barriers {
  readonly #owner: BarrierOwner;
  /** Nothing is settled before what is older: who waits for a key waits for a version. */
  readonly #isInOrder: boolean;
  readonly #byVersion = new WaiterLine();
  readonly #byKey = new Map<string, Set<Waiter>>();
  #toSync: Waiter[] = [];
  #isSyncing = false;
  /** Most who wait for a version alone, oldest crowd first. */
  #crowds: Crowd[] = [];
  readonly #failure = (version: number): LeakDBError | undefined => this.#owner.failure(version, undefined);
  /** Nothing will be stored any more: what new waiters are told at once. */
  #endedBy: LeakDBError | undefined;

  constructor(owner: BarrierOwner, isInOrder = false) {
    this.#owner = owner;
    this.#isInOrder = isInOrder;
  }

  /** Resolves when everything up to `version`, or of `key` alone, is stored (or synced). */
  wait(barrier: Barrier, options: WaitOptions): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const { key, synced } = barrier;
    if (key === undefined && !synced && options.signal === undefined && this.#endedBy === undefined)
      return this.#waitInCrowd(barrier.version, options);
    const ofKey = key === undefined ? undefined : this.#owner.unsettledVersion(key);
    // The key's own newest mutation may be older than the version asked for: nothing else need be waited for then.
    const version = Math.min(barrier.version, ofKey ?? Infinity);
    const waiter: Waiter = {
      asked: barrier.version,
      version,
      key,
      synced,
      wait: startWait(options, () => this.#ended(waiter)),
      isQueued: false,
      hasEnded: false,
    };
    const isStored = key === undefined ? this.#owner.storedUpTo() >= version : ofKey === undefined;
    if (isStored) this.#stored(waiter);
    else if (this.#endedBy !== undefined) waiter.wait.reject(this.#endedBy);
    else if (key === undefined || this.#isInOrder) this.#byVersion.push(waiter);
    else this.#waitersOf(key).add(waiter);
    return waiter.wait.promise;
  }

  /** Nothing will be stored any more: whoever still waits is told. */
  end(error: LeakDBError): void {
    this.#endedBy = error;
    for (const crowd of this.#crowds) crowd.reject(error);
    this.#crowds = [];
    for (const waiter of this.#byVersion.all()) waiter.wait.reject(error);
    for (const waiters of [...this.#byKey.values()])
      for (const waiter of [...waiters]) waiter.wait.reject(error);
  }

  /** W may have risen: lets go whoever it covers. */
  advance(): void {
    if (this.#byVersion.isEmpty && this.#crowds.length === 0) return;
    const storedUpTo = this.#owner.storedUpTo();
    for (const crowd of this.#crowds) crowd.release(storedUpTo, this.#failure);
    if (this.#crowds.length > 0) this.#crowds = this.#crowds.filter((crowd) => !crowd.isEmpty);
    for (;;) {
      const waiter = this.#byVersion.take(storedUpTo);
      if (waiter === undefined) return;
      if (!waiter.hasEnded) this.#stored(waiter);
    }
  }

  /** A mutation of the key with this version is settled. */
  keySettled(key: string, version: number): void {
    if (this.#byKey.size === 0) return;
    for (const waiter of this.#byKey.get(key) ?? []) {
      if (waiter.version <= version) this.#stored(waiter);
    }
  }

  /** A clear is settled: it settles every older mutation of the keys it covers. */
  prefixSettled(prefix: string, version: number): void {
    for (const key of [...this.#byKey.keys()]) {
      if (key.startsWith(prefix)) this.keySettled(key, version);
    }
  }

  #waitInCrowd(version: number, options: WaitOptions): Promise<void> {
    if (this.#owner.storedUpTo() >= version) {
      const failure = this.#owner.failure(version, undefined);
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    }
    let crowd = this.#crowds.at(-1);
    if (!crowd?.takes(version, options)) {
      crowd = new Crowd(options);
      this.#crowds.push(crowd);
    }
    return crowd.join(version);
  }

  #waitersOf(key: string): Set<Waiter> {
    let waiters = this.#byKey.get(key);
    if (waiters === undefined) {
      waiters = new Set();
      this.#byKey.set(key, waiters);
    }
    return waiters;
  }

  #stored(waiter: Waiter): void {
    const failure = this.#owner.failure(waiter.asked, waiter.key);
    if (failure !== undefined) return waiter.wait.reject(failure);
    if (!waiter.synced) return waiter.wait.resolve();
    this.#leaveKey(waiter);
    this.#toSync.push(waiter);
    if (!this.#isSyncing) void this.#sync();
  }

  async #sync(): Promise<void> {
    this.#isSyncing = true;
    while (this.#toSync.length > 0) {
      const waiters = this.#toSync;
      this.#toSync = [];
      try {
        await this.#owner.sync();
        for (const waiter of waiters) waiter.wait.resolve();
      } catch (cause) {
        const message =
          "the backend could not sync to its disk: what is stored may not survive a power cut yet. Flush again";
        const error = new LeakDBError("LEAKDB_FLUSH_FAILED", message, { cause, retryable: true });
        for (const waiter of waiters) waiter.wait.reject(error);
      }
    }
    this.#isSyncing = false;
  }

  #ended(waiter: Waiter): void {
    waiter.hasEnded = true;
    this.#leaveKey(waiter);
    if (waiter.isQueued) this.#byVersion.ended();
  }

  #leaveKey(waiter: Waiter): void {
    if (waiter.key === undefined) return;
    const waiters = this.#byKey.get(waiter.key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#byKey.delete(waiter.key);
  }
}
