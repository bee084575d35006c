/**
 * Everyone who waits for W(level): one heap of waiters by version, and the waiters for single keys. W itself is
 * computed by the owner, from what is not settled yet; here it is compared and waiters are let go (I6).
 *
 * A waiter at level `synced` first waits for `stored`, then for a sync of the adapter that began afterwards; one
 * sync serves all who wait for it.
 */

import { LeakDBError } from "../errors.js";
import { startWait, type Wait, type WaitOptions } from "../wait.js";

interface Waiter {
  /** What it asked for; dead letters up to this concern it. */
  readonly asked: number;
  /** What lets it go. */
  readonly version: number;
  readonly key: string | undefined;
  readonly synced: boolean;
  readonly wait: Wait;
  ended: boolean;
}

/** How many waiters that gave up may stay in the heap before it is swept. */
const ENDED_MAX = 1_024;

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
  #byVersion: Waiter[] = [];
  /** Waiters that ended, by deadline or signal, and may still be in the heap. */
  #endedInHeap = 0;
  readonly #byKey = new Map<string, Set<Waiter>>();
  #toSync: Waiter[] = [];
  #isSyncing = false;
  /** Nothing will be stored any more: what new waiters are told at once. */
  #endedBy: LeakDBError | undefined;

  constructor(owner: BarrierOwner, isInOrder = false) {
    this.#owner = owner;
    this.#isInOrder = isInOrder;
  }

  /** Resolves when everything up to `version`, or of `key` alone, is stored (or synced). */
  wait(
    barrier: { version: number; key?: string | undefined; synced: boolean },
    options: WaitOptions,
  ): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const { key, synced } = barrier;
    const ofKey = key === undefined ? undefined : this.#owner.unsettledVersion(key);
    // The key's own newest mutation may be older than the version asked for: nothing else need be waited for then.
    const version = Math.min(barrier.version, ofKey ?? Infinity);
    const waiter: Waiter = {
      asked: barrier.version,
      version,
      key,
      synced,
      wait: startWait(options, () => this.#ended(waiter)),
      ended: false,
    };
    const isStored = key === undefined ? this.#owner.storedUpTo() >= version : ofKey === undefined;
    if (isStored) this.#stored(waiter);
    else if (this.#endedBy !== undefined) waiter.wait.reject(this.#endedBy);
    else if (key === undefined || this.#isInOrder) push(this.#byVersion, waiter);
    else this.#waitersOf(key).add(waiter);
    return waiter.wait.promise;
  }

  /** Nothing will be stored any more: whoever still waits is told. */
  end(error: LeakDBError): void {
    this.#endedBy = error;
    for (const waiter of [...this.#byVersion]) waiter.wait.reject(error);
    for (const waiters of [...this.#byKey.values()])
      for (const waiter of [...waiters]) waiter.wait.reject(error);
  }

  /** W may have risen: lets go whoever it covers. */
  advance(): void {
    if (this.#byVersion.length === 0) return;
    const storedUpTo = this.#owner.storedUpTo();
    while ((this.#byVersion[0]?.version ?? Infinity) <= storedUpTo) this.#stored(pop(this.#byVersion));
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

  /** A waiter that gave up must not stay for as long as the backend is down (I5). */
  #ended(waiter: Waiter): void {
    waiter.ended = true;
    this.#leaveKey(waiter);
    if (waiter.key !== undefined && !this.#isInOrder) return;
    this.#endedInHeap += 1;
    if (this.#endedInHeap <= ENDED_MAX || this.#endedInHeap * 2 < this.#byVersion.length) return;
    // What is sorted is a heap.
    this.#byVersion = this.#byVersion.filter((each) => !each.ended).sort((a, b) => a.version - b.version);
    this.#endedInHeap = 0;
  }

  #leaveKey(waiter: Waiter): void {
    if (waiter.key === undefined) return;
    const waiters = this.#byKey.get(waiter.key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#byKey.delete(waiter.key);
  }
}

/** A binary heap by version, smallest first. */
function push(heap: Waiter[], waiter: Waiter): void {
  let index = heap.push(waiter) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if ((heap[parent] as Waiter).version <= waiter.version) break;
    heap[index] = heap[parent] as Waiter;
    index = parent;
  }
  heap[index] = waiter;
}

function pop(heap: Waiter[]): Waiter {
  const top = heap[0] as Waiter;
  const last = heap.pop() as Waiter;
  if (heap.length === 0) return top;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && (heap[right] as Waiter).version < (heap[child] as Waiter).version)
      child = right;
    if ((heap[child] as Waiter).version >= last.version) break;
    heap[index] = heap[child] as Waiter;
    index = child;
  }
  heap[index] = last;
  return top;
}
