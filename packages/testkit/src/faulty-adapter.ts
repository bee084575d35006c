/**
 * An adapter that fails on demand: scripted call by call, by key, as an outage, or at random by a seed. Stands
 * between core and an adapter in tests of retry, bisecting, dead letters, barriers and close.
 *
 * Invariants:
 * - Without faults, calls and answers pass unchanged.
 * - It lies about outcomes and never about the contract's last line: what was sent before a `close` that resolved
 *   takes no effect after it, held or late calls included.
 * - A call meets the gate first, then an outage, then its scripted or drawn fault, then the rules for keys. Each call
 *   takes one fault of the script, whatever else befalls it; `injected` counts them.
 * - Equal seeds and equal calls give equal faults.
 */

import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  type Clock,
  type FailureKind,
  type Mutation,
  type StoredRecord,
  systemClock,
  type WriteResult,
} from "@leakdb/core/adapter";
import { drawFault, drawFaultRates, type FaultRates, type FaultsOf, SLOW_MAX_MS } from "./faults.js";
import { Gate } from "./gate.js";
import type { AdapterOperation } from "./recording-adapter.js";
import { SeededRandom } from "./seeded-random.js";

type Fault = FaultsOf[AdapterOperation];

export interface FaultyOptions {
  /** What slow answers wait by. Default: the system's. */
  clock?: Clock | undefined;
  /** Turns random faults on. Print it with a failure: it repeats the run. */
  seed?: number | undefined;
  /** How often each fault strikes at random. Default: drawn by `seed`; without a seed none does. */
  rates?: FaultRates | undefined;
}

/** Wraps `inner`; without a `seed`, nothing fails until the test says so. */
export function faultyAdapter(inner: Adapter, options: FaultyOptions = {}): FaultyAdapter {
  return new FaultyAdapter(inner, options);
}

export class FaultyAdapter implements Adapter {
  readonly inner: Adapter;
  /** Holds calls back until the test lets them go on. */
  readonly gate: Gate = new Gate();
  /** How often each fault has struck, as `"write transient": 3`. */
  readonly injected: Map<string, number> = new Map();
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #scripts = new Map<AdapterOperation, Fault[]>();
  readonly #rejectedKeys = new Map<string, Error>();
  readonly #refusedKeys = new Set<string>();
  #rates: FaultRates;
  #isDown = false;
  /** Rises with each close: what began under an older number must not take effect any more. */
  #generation = 0;

  constructor(inner: Adapter, { clock = systemClock, seed, rates }: FaultyOptions = {}) {
    this.inner = inner;
    this.#clock = clock;
    this.#random = new SeededRandom(seed ?? 0);
    this.#rates = rates ?? (seed === undefined ? {} : drawFaultRates(this.#random));
  }

  get name(): string {
    return this.inner.name;
  }

  get capabilities(): Capabilities {
    return this.inner.capabilities;
  }

  /** Gives the next calls of an operation one fault each, in order, behind those scripted before. */
  script<O extends AdapterOperation>(operation: O, ...faults: FaultsOf[O][]): void {
    if (faults.some((fault) => fault === "die-midway") && this.capabilities.atomicBatch) {
      throw new TypeError("die-midway needs a wrapped adapter that declares atomicBatch: false");
    }
    this.#scripts.set(operation, [...(this.#scripts.get(operation) ?? []), ...faults]);
  }

  /** From now on each write names the key's mutations in `rejected` and stores the others. */
  rejectKey(key: string, error: Error = new Error("rejected by the faulty adapter")): void {
    this.#rejectedKeys.set(key, error);
  }

  /** From now on each batch with the key throws `permanent` as a whole, without naming the key. */
  refuseKey(key: string): void {
    this.#refusedKeys.add(key);
  }

  /** Takes back `rejectKey` and `refuseKey`. */
  acceptKey(key: string): void {
    this.#rejectedKeys.delete(key);
    this.#refusedKeys.delete(key);
  }

  /** The backend goes away: each call but `close` throws `transient`, until `goUp`. */
  goDown(): void {
    this.#isDown = true;
  }

  goUp(): void {
    this.#isDown = false;
  }

  /** Ends all faults and opens the gate, for the part of a test in which everything must come right. */
  heal(): void {
    this.#scripts.clear();
    this.#rejectedKeys.clear();
    this.#refusedKeys.clear();
    this.#rates = {};
    this.#isDown = false;
    this.gate.releaseAll();
  }

  /** The seed and the rates, for the message of a failed test. */
  toString(): string {
    return `faulty ${this.name}, seed ${this.#random.seed}, rates ${JSON.stringify(this.#rates)}`;
  }

  open(context: AdapterContext): Promise<AdapterState> {
    return this.#run("open", context.signal, () => this.inner.open(context));
  }

  write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    const fault = this.#take("write");
    this.#throwSync("write", fault);
    return this.#write(batch, options, fault);
  }

  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#run("load", undefined, () => this.inner.load(keys));
  }

  scan(range: { readonly prefix?: string; readonly after?: string }): AsyncIterable<readonly StoredRecord[]> {
    const fault = this.#take("scan");
    this.#throwSync("scan", fault);
    return this.#scan(range, fault);
  }

  sync(): Promise<void> {
    return this.#run("sync", undefined, () => this.inner.sync());
  }

  close(): Promise<void> {
    return this.#run("close", undefined, () => {
      // Before the wrapped adapter closes: nothing may land while it does, either.
      this.#generation += 1;
      return this.inner.close();
    });
  }

  /** Everything but writes and scans: the fault first, then the call. */
  #run<T>(operation: AdapterOperation, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    const fault = this.#take(operation);
    this.#throwSync(operation, fault);
    const run = async (): Promise<T> => {
      const generation = this.#generation;
      await this.gate.pass(operation, "call");
      if (operation !== "close") this.#mustBeUp(operation, generation);
      await this.#strikeBefore(operation, fault);
      const answer = await call();
      await this.#delay(operation, fault, signal);
      await this.gate.pass(operation, "answer");
      return answer;
    };
    return run();
  }

  async #write(
    batch: readonly Mutation[],
    options: { readonly signal: AbortSignal },
    fault: Fault,
  ): Promise<WriteResult> {
    const generation = this.#generation;
    await this.gate.pass("write", "call", batch);
    this.#mustBeUp("write", generation);
    await this.#strikeBefore("write", fault);
    if (batch.some((mutation) => mutation.type !== "clear" && this.#refusedKeys.has(mutation.key))) {
      throw this.#error("write", "permanent", "refuses the batch for one of its keys");
    }
    if (fault === "late-landing") {
      await aborted(options.signal);
      await this.#wait(this.#random.integer(1, SLOW_MAX_MS));
      return this.#apply(batch, { signal: new AbortController().signal }, generation);
    }
    if (fault === "die-midway") {
      await this.#apply(batch.slice(0, Math.floor(batch.length / 2)), options, generation);
      throw this.#error("write", "ambiguous", "died in the middle of the batch");
    }
    const result = await this.#apply(batch, options, generation);
    if (fault === "ambiguous-after") throw this.#error("write", "ambiguous", "lost the reply");
    if (fault === "hang-after") await never();
    if (fault === "late-answer") await aborted(options.signal);
    await this.#delay("write", fault, options.signal);
    await this.gate.pass("write", "answer", batch);
    return result;
  }

  /** Sends all but the rejected keys on, and puts both kinds of rejection under the indexes core knows. */
  async #apply(
    batch: readonly Mutation[],
    options: { readonly signal: AbortSignal },
    generation: number,
  ): Promise<WriteResult> {
    this.#mustBeUp("write", generation);
    const rejected: { index: number; error: Error }[] = [];
    const passed: Mutation[] = [];
    const indexOf: number[] = [];
    for (const [index, mutation] of batch.entries()) {
      const error = mutation.type === "clear" ? undefined : this.#rejectedKeys.get(mutation.key);
      if (error !== undefined) rejected.push({ index, error });
      else indexOf[passed.push(mutation) - 1] = index;
    }
    const result = await this.inner.write(passed, options);
    if (rejected.length === 0) return result;
    const own = (result.rejected ?? []).map(({ index, error }) => ({
      index: indexOf[index] as number,
      error,
    }));
    return { ...result, rejected: [...rejected, ...own].sort((a, b) => a.index - b.index) };
  }

  async *#scan(
    range: { readonly prefix?: string; readonly after?: string },
    fault: Fault,
  ): AsyncIterable<readonly StoredRecord[]> {
    const generation = this.#generation;
    await this.gate.pass("scan", "call");
    this.#mustBeUp("scan", generation);
    await this.#strikeBefore("scan", fault);
    for await (const page of this.inner.scan(range)) {
      this.#mustBeUp("scan", generation);
      if (fault === "midway") {
        yield page.slice(0, Math.floor(page.length / 2));
        throw this.#error("scan", "transient", "died in the middle of the scan");
      }
      await this.#delay("scan", fault, undefined);
      await this.gate.pass("scan", "answer");
      yield page;
    }
    if (fault === "midway") throw this.#error("scan", "transient", "died in the middle of the scan");
  }

  /** The next fault of the script, or one drawn; counted. */
  #take(operation: AdapterOperation): Fault {
    const scripted = this.#scripts.get(operation)?.shift();
    let fault: Fault = scripted ?? drawFault(this.#rates, operation, this.#random);
    // An atomic backend that dies in the middle has applied all or nothing.
    if (fault === "die-midway" && this.capabilities.atomicBatch) {
      fault = this.#random.chance(0.5) ? "ambiguous" : "ambiguous-after";
    }
    if (fault === "slow") fault = { slowMs: this.#random.integer(1, SLOW_MAX_MS) };
    if (fault !== "none") {
      const name = `${operation} ${typeof fault === "string" ? fault : "slow"}`;
      this.injected.set(name, (this.injected.get(name) ?? 0) + 1);
    }
    return fault;
  }

  #throwSync(operation: AdapterOperation, fault: Fault): void {
    if (fault === "throw-sync") throw new Error(`${this.name} threw at the call of ${operation}`);
  }

  async #strikeBefore(operation: AdapterOperation, fault: Fault): Promise<void> {
    if (fault === "hang") await never();
    if (fault === "plain") throw new Error(`${this.name} failed to ${operation}`);
    if (fault === "transient" || fault === "permanent" || fault === "ambiguous") {
      throw this.#error(operation, fault, "failed");
    }
  }

  #mustBeUp(operation: AdapterOperation, generation: number): void {
    if (this.#generation !== generation) throw this.#error(operation, "transient", "was closed meanwhile");
    if (this.#isDown) throw this.#error(operation, "transient", "is down");
  }

  #error(operation: AdapterOperation, kind: FailureKind, text: string): AdapterError {
    return new AdapterError(`${this.name} ${text} (${operation})`, { kind });
  }

  async #delay(operation: AdapterOperation, fault: Fault, signal: AbortSignal | undefined): Promise<void> {
    if (typeof fault === "string") return;
    const slept = this.#wait(fault.slowMs);
    if (signal === undefined) return slept;
    await Promise.race([slept, aborted(signal)]);
    if (signal.aborted) throw this.#error(operation, "ambiguous", "was aborted before its answer");
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimeout(resolve, delayMs));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
