/**
 * Runs one schedule: users and the backend act as it says (safety), then all faults end and everything must come
 * right (liveness), or the storage is closed under fire and must account for every mutation. Answers with the record.
 */

import { isLeakDBError, type PersistentQueueStorage, PersistentStorage, type Unwritten } from "@leakdb/core";
import { ManualClock, ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { outcomeOf } from "../model/settled.js";
import { checkRecord } from "./check-record.js";
import type { Happening, Of } from "./happening.js";
import { HeldAdapter, type PlantedFault } from "./held-adapter.js";
import {
  codeOf,
  contentOf,
  entriesOf,
  openStorage,
  recordEvents,
  recordsOf,
  repeatable,
  type Storage,
  valuesOf,
} from "./opened-storage.js";
import {
  BATCH_BYTES_MAX,
  type Schedule,
  type Step,
  TIMEOUT_MAX_MS,
  WRITE_TIMEOUT_MS,
  type WriteStep,
} from "./schedule.js";
import { ThroughCalls } from "./through-calls.js";

export const KEYS = ["a", "ab", "b", "ba", "c"] as const;

/** Turns of the event loop in which a storage does what it can while the clock stands still. */
const TURNS = 4;
/** A write-through operation waits for its turn, is sent, and may have to ask the backend and send once more. */
const OPERATION_MS = 6 * WRITE_TIMEOUT_MS;
const STEP_MS = 50;
const STEPS_MAX = 400;

export class ScheduleRun {
  readonly record: Happening[] = [];
  /** What the run has seen itself; the rest is in the record. */
  readonly breaches: string[] = [];
  readonly #schedule: Schedule;
  readonly #clock = new ManualClock();
  readonly #backend = new ReferenceBackend();
  readonly #adapter: HeldAdapter;
  readonly #through = new ThroughCalls();
  readonly #pending = new Set<Promise<unknown>>();
  #storage!: Storage;
  #values = 0;
  #barriers = 0;

  constructor(schedule: Schedule, planted?: PlantedFault) {
    this.#schedule = schedule;
    const lanesMax = schedule.shape.workers;
    this.#adapter = new HeldAdapter({ backend: this.#backend, lanesMax, record: this.record, planted });
  }

  /** The breaches of the whole run: its own, and those that the record shows. Runs must not overlap. */
  async check(): Promise<string[]> {
    const { random } = Math;
    // The jitter of retries: without this, a seed would not repeat its run.
    Math.random = repeatable(this.#schedule.steps.length);
    try {
      return await this.#run();
    } finally {
      Math.random = random;
    }
  }

  async #run(): Promise<string[]> {
    const { shape, closeTimeout, steps } = this.#schedule;
    this.#storage = await openStorage(shape, this.#adapter, this.#clock);
    recordEvents(this.#storage, this.record);
    for (const step of steps) {
      await this.#step(step);
      this.#checkBounds();
    }
    if (closeTimeout === undefined) await this.#heal();
    else await this.#closeUnderFire(closeTimeout);
    await this.#clock.advance(2 * OPERATION_MS);
    this.record.push({ type: "ended", atMs: this.#clock.now() });
    const batchMax = shape.isThrough ? Math.max(shape.batchMax, 3) : shape.batchMax;
    const bounds = { lanes: shape.workers, batchMax, batchBytesMax: BATCH_BYTES_MAX };
    return [...this.breaches, ...checkRecord(this.record, bounds)];
  }

  async #step(step: Step): Promise<void> {
    switch (step.op) {
      case "answer":
        await this.#adapter.answer(step.pick, step.how, step.index);
        break;
      case "advance":
        return this.#clock.advance(step.ms);
      case "flush":
      case "persisted":
        this.#barrier(step);
        break;
      case "poison":
        this.#adapter.poison(step.key, step.how);
        break;
      case "fail":
        this.#adapter.failNext(step.call);
        break;
      case "retry":
      case "discard":
        this.#bury(step);
        break;
      default:
        this.#write(step);
    }
    await this.#clock.settle(TURNS);
  }

  #write(step: WriteStep): void {
    const { isThrough } = this.#schedule.shape;
    this.#values += 1;
    if (isThrough) return this.#writeThrough(step, this.#values);
    const storage = this.#storage as PersistentQueueStorage<number>;
    const before = contentOf(storage);
    try {
      this.#writeBehind(storage, step, this.#values);
    } catch (error) {
      if (!isLeakDBError(error) || error.code !== "LEAKDB_QUEUE_FULL") throw error;
      if (contentOf(storage) !== before) this.breaches.push(`I8: ${step.op} threw, and changed memory`);
    }
  }

  #writeBehind(storage: PersistentQueueStorage<number>, step: WriteStep, value: number): void {
    const note = (operation: "put" | "delete" | "clear", key: string, version: number): void => {
      this.record.push({ type: "mutated", operation, key, version });
    };
    if (step.op === "set") note("put", step.key, storage.set(step.key, value));
    else if (step.op === "delete") {
      if (storage.delete(step.key)) note("delete", step.key, storage.version);
    } else if (step.op === "clear") {
      storage.clear({ prefix: step.prefix });
      note("clear", step.prefix, storage.version);
    } else {
      storage.setMulti(step.keys.map((key) => [key, value] as const));
      for (const key of new Set(step.keys)) note("put", key, storage.getEntry(key)?.version ?? 0);
    }
  }

  #writeThrough(step: WriteStep, value: number): void {
    const storage = this.#storage as PersistentStorage<number>;
    const start = (): [Promise<unknown>, (key: string) => boolean] => {
      if (step.op === "set") return [storage.set(step.key, value), (key) => key === step.key];
      if (step.op === "delete") return [storage.delete(step.key), (key) => key === step.key];
      if (step.op === "clear")
        return [storage.clear({ prefix: step.prefix }), (key) => key.startsWith(step.prefix)];
      const entries = step.keys.map((key) => [key, value] as const);
      return [storage.setMulti(entries), (key) => step.keys.includes(key)];
    };
    const [promise, concerns] = start();
    const end = this.#through.begin(
      concerns,
      step.op === "set" || step.op === "setMulti" ? value : undefined,
    );
    const deadlineMs = this.#clock.now() + OPERATION_MS;
    const asked = { what: "operation", version: -1, key: undefined, isSynced: false, deadlineMs } as const;
    this.#watch(promise, asked, (error, result) => {
      end(error, error === undefined);
      if (error !== undefined) this.record.push({ type: "reported", what: "rejection" });
      else if (step.op === "set") {
        this.record.push({ type: "mutated", operation: "put", key: step.key, version: result as number });
      }
    });
  }

  #barrier(step: Extract<Step, { op: "flush" | "persisted" }>): void {
    const { isSynced, timeout } = step;
    const level = isSynced ? "synced" : "stored";
    const { version } = this.#storage;
    const key = step.op === "persisted" ? step.key : undefined;
    const promise =
      step.op === "flush"
        ? this.#storage.flush({ level, timeout })
        : this.#storage.persisted(version, level, { key, timeout });
    const deadlineMs = this.#clock.now() + timeout;
    this.#watch(promise, { what: step.op, version, key, isSynced, deadlineMs });
  }

  #watch(
    promise: Promise<unknown>,
    asked: Omit<Of<"asked">, "type" | "barrier">,
    onEnd?: (error: unknown, result: unknown) => void,
  ): void {
    this.#barriers += 1;
    const barrier = this.#barriers;
    this.record.push({ type: "asked", barrier, ...asked });
    const end = (error: unknown, result: unknown): void => {
      const code = error === undefined ? undefined : codeOf(error);
      onEnd?.(error, result);
      const tellsFailure =
        code === "LEAKDB_FLUSH_FAILED" ? asked.isSynced : code === "LEAKDB_CLOSE_INCOMPLETE";
      if (tellsFailure) this.record.push({ type: "reported", what: "rejection" });
      this.record.push({ type: "settled", barrier, code, atMs: this.#clock.now() });
    };
    const ended: Promise<void> = promise
      .then(
        (result) => end(undefined, result),
        (error: unknown) => end(error, undefined),
      )
      .finally(() => this.#pending.delete(ended));
    this.#pending.add(ended);
  }

  #bury(step: Extract<Step, { op: "retry" | "discard" }>): void {
    const letters = this.#storage.deadLetters();
    const letter = letters[step.pick % Math.max(1, letters.length)];
    if (letter === undefined) return;
    if (step.op === "retry") letter.retry();
    else if (letter.discard()) {
      const { operation, key, version } = letter;
      this.record.push({ type: "discarded", operation, key, version });
    }
  }

  /** I5: the capacity admits keys. One that is in flight or tried again may wait once more, and be cut ahead as well. */
  #checkBounds(): void {
    const { capacity } = this.#schedule.shape;
    const waiting = this.#storage.stats().queue?.waiting ?? 0;
    if (waiting > 3 * capacity)
      this.breaches.push(`I5: ${waiting} mutations wait, with a capacity of ${capacity}`);
  }

  async #heal(): Promise<void> {
    await this.#adapter.heal();
    await this.#drive(Promise.all(this.#pending), "what was asked for before the faults ended");
    const storage = this.#storage;
    if (storage instanceof PersistentStorage) {
      // Whatever was perhaps applied is made certain by the next operation on its key.
      for (const key of KEYS)
        await this.#drive(
          storage.update(key, (value) => value),
          `the update of ${key}`,
        );
    }
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await this.#drive(
        storage.flush({ timeout: Number.POSITIVE_INFINITY }),
        "the flush",
        "LEAKDB_FLUSH_FAILED",
      );
      for (const letter of storage.deadLetters()) letter.retry();
    }
    await this.#makeUp();
    await this.#drive(storage.flush({ timeout: Number.POSITIVE_INFINITY }), "the last flush");
    this.record.push({ type: "final", where: "memory", entries: entriesOf(storage) });
    this.breaches.push(...this.#through.check(valuesOf(storage), this.#schedule.shape.isThrough ? KEYS : []));
    await this.#drive(storage.close(), "the close");
    await this.#reopen();
  }

  /** What users gave up leaves memory and the backend apart, until they write it again. */
  async #makeUp(): Promise<void> {
    for (const happening of [...this.record]) {
      if (happening.type !== "discarded") continue;
      const { operation, key } = happening;
      const keys = operation === "clear" ? KEYS.filter((each) => each.startsWith(key)) : [key];
      for (const each of keys) {
        const isPresent = this.#storage.has(each);
        this.#write({ op: "set", key: each });
        if (!isPresent) this.#write({ op: "delete", key: each });
        // One after the other: together they may be more than the capacity.
        await this.#drive(this.#storage.flush({ timeout: Number.POSITIVE_INFINITY }), "the making up");
      }
    }
  }

  async #closeUnderFire(timeout: number): Promise<void> {
    const { version } = this.#storage;
    const promise = this.#storage.close({ timeout });
    const deadlineMs = this.#clock.now() + timeout;
    this.#watch(promise, { what: "close", version, key: undefined, isSynced: false, deadlineMs }, (error) => {
      const unwritten = (error as { unwritten?: readonly Unwritten[] } | undefined)?.unwritten;
      for (const item of unwritten ?? []) {
        this.record.push({
          type: "given-back",
          operation: item.operation,
          key: item.key,
          version: item.version,
        });
      }
    });
    await this.#clock.advance(timeout + STEP_MS);
    await this.#adapter.heal();
    // Nothing is written any more: barriers are left to their deadlines.
    await this.#clock.advance(TIMEOUT_MAX_MS);
    await this.#drive(Promise.all(this.#pending), "what was asked for before the close");
    // An opening that is under way when the deadline passes ends by itself, and is closed then.
    await this.#clock.advance(4 * WRITE_TIMEOUT_MS);
    await this.#reopen();
  }

  /** Backend and a new storage on it, beside each other. */
  async #reopen(): Promise<void> {
    if (this.#backend.owner !== undefined)
      this.breaches.push("I10: the backend is still open after the close");
    this.#backend.owner = undefined;
    const reader = await openStorage(
      this.#schedule.shape,
      referenceAdapter({ backend: this.#backend }),
      this.#clock,
    );
    const reopened = entriesOf(reader);
    this.record.push({ type: "final", where: "backend", entries: recordsOf(this.#backend, reopened) });
    this.record.push({ type: "final", where: "reopened", entries: reopened });
    await reader.close();
  }

  /** Lets time pass until the promise has settled. */
  async #drive(promise: Promise<unknown>, name: string, allowedCode?: string): Promise<void> {
    let outcome = await outcomeOf(promise, TURNS);
    for (let step = 0; step < STEPS_MAX && outcome === undefined; step += 1) {
      await this.#clock.advance(STEP_MS);
      outcome = await outcomeOf(promise, TURNS);
    }
    if (outcome === undefined) throw new Error(`I10: ${name} does not settle although all faults have ended`);
    if (!("error" in outcome) || codeOf(outcome.error) === allowedCode) return;
    throw new Error(`${name} fails although all faults have ended`, { cause: outcome.error });
  }
}
