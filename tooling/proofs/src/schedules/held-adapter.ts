/**
 * An adapter whose writes wait until the schedule answers them, in the order and the way it draws. Everything goes
 * into the record. Below it lies the reference adapter, so that what is applied is applied correctly.
 *
 *     core ── write ──▶ held ── answer(pick, how) ──▶ applied or not ──▶ answer, failure, or nothing until the abort
 *
 * It keeps the contract's last line: what was sent before a close takes no effect after it.
 */

import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { type ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import type { Happening } from "./happening.js";

export type AnswerKind =
  | "stored"
  /** Nothing applied, to be tried again. */
  | "transient"
  /** Nothing applied, never to be: the whole batch. */
  | "permanent"
  /** One mutation is named as rejected, the others are stored. */
  | "rejected"
  | "ambiguous"
  /** Applied, and the reply is lost. */
  | "lost-reply"
  /** Applied, then something that is no `AdapterError`. */
  | "plain"
  /** Applied now; the answer comes with a later step, or not at all. */
  | "slow"
  /** Applied and answered only after core has given up on it. */
  | "late";

export type OtherCall = "open" | "load" | "sync";

/** A fault of the backend itself, for those who test the checkers. */
export type PlantedFault = "lose-last" | "apply-nothing" | "resurrect";

interface HeldWrite {
  readonly call: number;
  readonly batch: readonly Mutation[];
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
  isApplied: boolean;
  /** The indexes that were left out when it was applied. */
  refused: readonly number[];
  /** To be applied, and answered, once core has given up on it. */
  isLate: boolean;
  /** Core has given up on it: no answer counts any more. */
  isAborted: boolean;
}

export interface HeldOptions {
  readonly backend: ReferenceBackend;
  readonly lanesMax: number;
  readonly record: Happening[];
  readonly planted?: PlantedFault | undefined;
}

export class HeldAdapter implements Adapter {
  readonly name = "held";
  readonly capabilities: Capabilities;
  readonly #inner: Adapter;
  readonly #options: HeldOptions;
  readonly #record: Happening[];
  readonly #poisoned = new Map<string, "named" | "thrown">();
  readonly #failing: OtherCall[] = [];
  #held: HeldWrite[] = [];
  #calls = 0;
  #isHealed = false;

  constructor(options: HeldOptions) {
    this.#options = options;
    this.#record = options.record;
    this.#inner = referenceAdapter({
      backend: options.backend,
      capabilities: { lanesMax: options.lanesMax },
    });
    this.capabilities = this.#inner.capabilities;
  }

  get held(): number {
    return this.#held.length;
  }

  /** From now on batches with the key fail for good, until the healing. */
  poison(key: string, how: "named" | "thrown"): void {
    this.#poisoned.set(key, how);
  }

  /** The next call of that kind fails. */
  failNext(call: OtherCall): void {
    this.#failing.push(call);
  }

  /** Everything that waits and comes is stored at once. */
  async heal(): Promise<void> {
    this.#isHealed = true;
    this.#poisoned.clear();
    this.#failing.length = 0;
    for (const write of [...this.#held]) await this.#answer(write, "stored", 0);
  }

  /** Answers one of the writes that wait; false when none does. */
  async answer(pick: number, how: AnswerKind, index: number): Promise<boolean> {
    const write = this.#held[pick % Math.max(1, this.#held.length)];
    if (write === undefined) return false;
    await this.#answer(write, how, index);
    return true;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    this.#fail("open");
    const state = await this.#inner.open(context);
    this.#record.push({ type: "opened" });
    return state;
  }

  write(batch: readonly Mutation[], { signal }: { readonly signal: AbortSignal }): Promise<WriteResult> {
    this.#calls += 1;
    const call = this.#calls;
    const copy = batch.map((mutation) => ({ ...mutation }));
    this.#record.push({ type: "sent", call, batch: copy });
    return new Promise((resolve, reject) => {
      const write: HeldWrite = {
        call,
        batch: copy,
        resolve,
        reject,
        isApplied: false,
        refused: [],
        isLate: false,
        isAborted: false,
      };
      this.#held.push(write);
      signal.addEventListener("abort", () => {
        write.isAborted = true;
        this.#record.push({ type: "injected", what: "silence" });
        if (write.isLate) void this.#store(write, []);
      });
      if (this.#isHealed) void this.#answer(write, "stored", 0);
    });
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    this.#fail("load");
    return this.#inner.load(keys);
  }

  scan(range: { readonly prefix?: string; readonly after?: string }): AsyncIterable<readonly StoredRecord[]> {
    return this.#inner.scan(range);
  }

  async sync(): Promise<void> {
    const askedAt = this.#record.push({ type: "sync-asked" }) - 1;
    this.#fail("sync");
    await this.#inner.sync();
    this.#record.push({ type: "synced", askedAt });
  }

  async close(): Promise<void> {
    await this.#inner.close();
    const left = this.#held;
    this.#held = [];
    this.#record.push({ type: "closed" });
    for (const write of left) write.reject(new AdapterError("closed meanwhile", { kind: "ambiguous" }));
  }

  async #answer(write: HeldWrite, how: AnswerKind, index: number): Promise<void> {
    if (this.#isRefused(write.batch) && !write.isApplied && how !== "transient")
      return this.#reject(write, "permanent");
    switch (how) {
      case "stored":
        return this.#store(write, this.#named(write.batch));
      case "rejected":
        return this.#store(write, [...this.#named(write.batch), index % write.batch.length]);
      case "slow":
        return this.#apply(write, this.#named(write.batch));
      case "late":
        write.isLate = true;
        return;
      case "lost-reply":
      case "plain":
        await this.#apply(write, []);
        return this.#reject(write, how);
      default:
        return this.#reject(write, how);
    }
  }

  async #store(write: HeldWrite, indexes: readonly number[]): Promise<void> {
    const refusable = [...new Set(indexes)].filter((index) => write.batch[index]?.type !== "clear");
    await this.#apply(write, refusable);
    if (!this.#leave(write)) return;
    const { refused, isAborted } = write;
    if (refused.length > 0 && !isAborted) this.#record.push({ type: "injected", what: "rejected" });
    this.#record.push({ type: "answered", call: write.call, isStored: !isAborted, refused });
    write.resolve({
      bytes: 0,
      rejected: refused.map((index) => ({ index, error: new Error("the schedule refuses it") })),
    });
  }

  #reject(write: HeldWrite, how: AnswerKind): void {
    if (!this.#leave(write)) return;
    // What has been applied already cannot be taken back by saying so.
    const kind = write.isApplied || how === "lost-reply" ? "ambiguous" : how;
    // After the abort its silence has been told of, and nobody hears how it ends.
    if (!write.isAborted) this.#record.push({ type: "injected", what: kind });
    this.#record.push({ type: "answered", call: write.call, isStored: false, refused: [] });
    if (kind === "transient" || kind === "permanent" || kind === "ambiguous") {
      write.reject(new AdapterError(`the schedule says ${kind}`, { kind }));
    } else {
      write.reject(new Error("the schedule says something else"));
    }
  }

  async #apply(write: HeldWrite, refused: readonly number[]): Promise<void> {
    if (write.isApplied || !this.#held.includes(write)) return;
    write.isApplied = true;
    write.refused = refused;
    let mutations = write.batch.filter((_, index) => !refused.includes(index));
    this.#record.push({ type: "applied", call: write.call, mutations });
    const { planted } = this.#options;
    if (planted === "apply-nothing") return;
    if (planted === "lose-last") mutations = mutations.slice(0, -1);
    if (planted === "resurrect") mutations = mutations.filter(({ type }) => type !== "delete");
    await this.#inner.write(mutations, { signal: new AbortController().signal });
  }

  /** False when it was answered or closed meanwhile. */
  #leave(write: HeldWrite): boolean {
    const index = this.#held.indexOf(write);
    if (index >= 0) this.#held.splice(index, 1);
    return index >= 0;
  }

  /** One of its keys fails the whole batch. */
  #isRefused(batch: readonly Mutation[]): boolean {
    return batch.some(
      (mutation) => mutation.type !== "clear" && this.#poisoned.get(mutation.key) === "thrown",
    );
  }

  #named(batch: readonly Mutation[]): number[] {
    const isNamed = (mutation: Mutation): boolean =>
      mutation.type !== "clear" && this.#poisoned.get(mutation.key) === "named";
    return [...batch.keys()].filter((index) => isNamed(batch[index] as Mutation));
  }

  #fail(call: OtherCall): void {
    const index = this.#failing.indexOf(call);
    if (index < 0) return;
    this.#failing.splice(index, 1);
    this.#record.push({ type: "injected", what: call });
    throw new AdapterError(`the schedule fails this ${call}`, { kind: "transient" });
  }
}
