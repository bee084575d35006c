/**
 * Runs one plan: life after life of one storage on one disk, each ended by a crash or a close, each opening judged by the
 * ledger; then a last one without faults, in which everything must come right.
 *
 *     opening ─▶ recovered as acknowledged? ─▶ steps ─▶ kill, power cut, close ─▶ opening, which may be cut as well …
 *
 * The real code runs; simulated are the disk, the backend, the worker and the clock.
 */

import { type DeadLetter, isLeakDBError, msgpackCodec } from "@leakdb/core";
import { ManualClock, SeededRandom, SimulatedDisk } from "@leakdb/testkit";
import {
  ALL_KEYS,
  type Death,
  type FailedOpening,
  type Life,
  type OtherStep,
  type Plan,
  type Setup,
} from "./crash-plan.js";
import { Ledger } from "./ledger.js";
import { LifeUnderWay, type Watched } from "./life-under-way.js";
import { MortalBackend } from "./mortal-backend.js";
import { mutate } from "./mutate.js";
import { contentOf, openSubject, type Subject, WRITE_TIMEOUT_MS } from "./open-subject.js";
import type { Planted } from "./planted-faults.js";

const TIMEOUT_MS = 1_500;
/** How long anything may take once nothing fails any more. */
const LIVELY_MS = 30_000;
const OPENINGS_MAX = 12;
const CODEC = msgpackCodec();

export class CrashRun {
  readonly #plan: Plan;
  readonly #setup: Setup;
  readonly #planted: Planted;
  readonly #now = new ManualClock();
  readonly #disk: SimulatedDisk;
  readonly #backend: MortalBackend;
  readonly #ledger: Ledger;
  #life!: LifeUnderWay;
  #armed: { readonly how: Death; after: number; readonly seed: number } | undefined;
  /** What has happened since the last opening that succeeded. */
  #death: Death = "kill";
  /** The backend may have what neither the journal nor its own disk has. */
  #isAhead = false;
  /** A failed journal's files went one by one, as the disk took nothing new, and a crash came between: salvage is the way out. */
  #isHalfGone = false;

  constructor(plan: Plan, planted: Planted = {}) {
    const { setup } = plan;
    this.#plan = plan;
    this.#setup = setup;
    this.#planted = planted;
    const pause = () => new Promise<void>((resolve) => void this.#now.setTimeout(resolve, setup.diskMs));
    this.#disk = new SimulatedDisk({
      ...(setup.diskMs > 0 ? { pause } : {}),
      onOperation: () => this.#operated(),
    });
    this.#backend = new MortalBackend({ lanesMax: 4, isSyncedApart: setup.isSyncedApart });
    this.#ledger = new Ledger(setup, () => this.#now.now());
  }

  /** The breaches of the run. Runs must not overlap. */
  async check(): Promise<string[]> {
    const { random } = Math;
    const { now } = performance;
    const drawn = new SeededRandom(this.#plan.lives.length);
    // The jitter of retries and the ends of slices: without these, a seed would not repeat its run.
    let elapsedMs = 0;
    Math.random = () => drawn.next();
    performance.now = () => (elapsedMs += drawn.chance(0.3) ? 2 : 0);
    try {
      for (const life of this.#plan.lives) {
        await this.#live(life);
        if (this.#breaches.length > 0 || this.#isHalfGone) return this.#breaches;
      }
      await this.#finish();
      return this.#breaches;
    } finally {
      Math.random = random;
      performance.now = now;
    }
  }

  get #breaches(): string[] {
    return [...this.#ledger.breaches, ...this.#ledger.deliveries.breaches];
  }

  async #live({ openings, steps, end }: Life): Promise<void> {
    const storage = await this.#open(openings);
    if (storage === undefined) return;
    for (const step of steps) {
      if (this.#life.isOver) break;
      if (isOther(step)) await this.#step(storage, step);
      else mutate(storage, step, this.#setup.isBig, this.#ledger);
      if (this.#breaches.length > 0) return;
    }
    if (this.#life.isOver) return;
    this.#ledger.breaches.push(...this.#ledger.history.differences(contentOf(storage), this.#now.now()));
    if (end.how === "close") await this.#close(storage, end);
    else this.#die(end.how, end.seed);
  }

  async #step(storage: Subject, step: OtherStep): Promise<void> {
    switch (step.op) {
      case "turns":
        return this.#turns(step.count);
      case "advance":
        return this.#advance(step.ms);
      case "persisted":
      case "flush":
        return this.#wait(storage, step);
      case "retry":
      case "discard":
        return this.#bury(storage, step);
      case "poison":
        this.#life.worker.poison(step.key);
        return this.#life.adapter.rejectKey(step.key);
      case "cure":
        this.#life.worker.cure(step.key);
        return this.#life.adapter.acceptKey(step.key);
      case "down":
        return this.#life.goDown();
      case "up":
        return this.#life.goUp();
      case "full":
        this.#disk.capacityBytes = this.#disk.snapshot().contents().bytes + step.bytes;
        return;
      case "fault":
        return this.#disk.fail(step);
      case "arm":
        this.#armed = { ...step };
    }
  }

  #wait(storage: Subject, step: Extract<OtherStep, { op: "persisted" | "flush" }>): void {
    const { level, op } = step;
    const { kind, sync, isSyncedApart } = this.#setup;
    const isFlushOfAll = op === "flush" && kind === "default" && sync === "never";
    const hasLevel = {
      journaled: sync !== "never",
      stored: kind !== "default",
      synced: kind === "behind" && isSyncedApart,
    };
    if (!hasLevel[level] && !isFlushOfAll) return;
    const { version } = storage;
    const key = op === "persisted" ? step.key : undefined;
    const next = op === "persisted" ? step.next : undefined;
    const options = { timeout: TIMEOUT_MS, ...(key === undefined ? {} : { key }) };
    const promise = isFlushOfAll
      ? storage.flush({ timeout: TIMEOUT_MS })
      : op === "flush"
        ? storage.flush({ level, timeout: TIMEOUT_MS })
        : storage.persisted(version, level, options);
    const life = this.#life;
    life.watch(promise, `${op} ${level}`, TIMEOUT_MS, () => {
      const { deliveries, breaches, history } = this.#ledger;
      if (kind === "queue" && level !== "journaled") breaches.push(...deliveries.undone(version, key));
      else
        this.#ledger.acknowledge(life.survives(isFlushOfAll ? "memory" : level, this.#setup), version, key);
      if (next === undefined) return;
      history.endBurst();
      mutate(storage, { op: "set", key: next, pad: 0, ttl: undefined }, false, this.#ledger);
      history.endBurst();
    });
  }

  #bury(storage: Subject, { op, pick }: Extract<OtherStep, { op: "retry" | "discard" }>): void {
    const letters = storage.deadLetters();
    const letter = letters[pick % Math.max(1, letters.length)];
    if (letter === undefined) return;
    if (op === "retry") this.#retry(letter);
    else if (letter.discard()) {
      this.#ledger.deliveries.done(letter.version, this.#ledger.now);
      this.#giveUp(letter);
    }
  }

  #giveUp({ operation, key, version }: DeadLetter): void {
    const keys = operation === "clear" ? ALL_KEYS.filter((each) => each.startsWith(key)) : [key];
    for (const each of keys) this.#ledger.history.giveUp(each, version);
  }

  #retry(letter: DeadLetter): void {
    this.#ledger.deliveries.revived(letter.key);
    letter.retry();
  }

  async #close(storage: Subject, { timeout, isDown, isKilledAfter }: Extract<Life["end"], { how: "close" }>) {
    if (isDown) this.#life.goDown();
    const closing = await this.#closed(storage, timeout);
    if (this.#life.isOver) return;
    if (typeof closing.outcome === "object") {
      const { code, message } = closing.outcome.error as { code?: string; message: string };
      const isKept = message.includes("the journal keeps them");
      if (code === "LEAKDB_CLOSE_INCOMPLETE" && isKept)
        this.#ledger.acknowledge(this.#setup.sync === "never" ? ["kill"] : ["kill", "cut"], storage.version);
    }
    if (isKilledAfter) return this.#die("kill", 0);
    await this.#advance(2 * TIMEOUT_MS + 4 * WRITE_TIMEOUT_MS);
    if (this.#life.isOver) return;
    this.#ledger.breaches.push(...this.#life.unsettled());
    this.#endSoftly();
  }

  /** Waits for the close, and says what it promises. */
  async #closed(storage: Subject, timeout: number): Promise<Watched> {
    const { version } = storage;
    const life = this.#life;
    const { kind } = this.#setup;
    const closing = life.watch(storage.close({ timeout }), "close", timeout, () => {
      if (kind === "queue") this.#ledger.breaches.push(...this.#ledger.deliveries.undone(version, undefined));
      else
        this.#ledger.acknowledge(
          kind === "behind" ? ["kill", "cut"] : life.survives("memory", this.#setup),
          version,
        );
    });
    await this.#until(closing, timeout + LIVELY_MS);
    return closing;
  }

  async #open(openings: readonly FailedOpening[]): Promise<Subject | undefined> {
    for (let attempt = 0; attempt < OPENINGS_MAX; attempt += 1) {
      const storage = await this.#tryOpening(openings[attempt], attempt < OPENINGS_MAX / 2);
      if (storage !== undefined) return storage;
      if (this.#breaches.length > 0 || this.#isHalfGone) return undefined;
    }
    this.#ledger.breaches.push(`the storage does not open in ${OPENINGS_MAX} attempts`);
    return undefined;
  }

  async #tryOpening(failing: FailedOpening | undefined, isFaulty: boolean): Promise<Subject | undefined> {
    this.#ledger.life += 1;
    const life = new LifeUnderWay(
      ...([this.#setup, this.#now, this.#backend, this.#ledger, isFaulty, this.#planted.adapter] as const),
    );
    this.#life = life;
    if (failing?.how === "fault") this.#disk.fail(failing);
    else this.#armed = failing && { ...failing };
    const files = this.#planted.files?.(this.#disk.files) ?? this.#disk.files;
    const { clock, adapter, worker } = life;
    const opening = openSubject(this.#setup, {
      ...{ clock, adapter, files },
      workerProcess: (item, context) => worker.process(item, context),
      workerProcessBatch: (items, context) => worker.processBatch(items, context),
    });
    const watched = life.watch(
      opening.then((storage) => {
        life.storage = storage;
        this.#listen(storage);
      }),
      "open",
      LIVELY_MS,
    );
    await this.#until(watched, LIVELY_MS);
    this.#armed = undefined;
    this.#disk.heal();
    if (life.isOver) return undefined;
    if (life.storage === undefined) return this.#unopened(watched, failing?.how === "fault" || isFaulty);
    this.#judge(life.storage);
    return life.storage;
  }

  #unopened({ outcome }: Watched, isExcused: boolean): undefined {
    const error = typeof outcome === "object" ? outcome.error : new Error("it never settled");
    this.#isHalfGone = this.#isAhead && String(error).includes("is missing");
    if (this.#isHalfGone) return undefined;
    const isDocumented = isLeakDBError(error) && error.code === "LEAKDB_OPEN_FAILED" && isExcused;
    if (!isDocumented) this.#ledger.breaches.push(`I7: the opening failed: ${String(error)}`);
    if (this.#ledger.life % 2 === 0) this.#die("kill", 0);
    else this.#endSoftly();
    return undefined;
  }

  /** What the opening found is what was acknowledged, or newer. */
  #judge(storage: Subject): void {
    const { kind, sync } = this.#setup;
    const { history, breaches } = this.#ledger;
    const how = this.#death;
    const content = contentOf(storage);
    const wasAhead = this.#isAhead;
    if (this.#backend.isSynced) this.#isAhead = false;
    const isUncertain = kind === "behind" && sync === "never" && how === "cut";
    if (kind === "queue") breaches.push(...history.recoveredPending(content, this.#now.now(), how));
    else {
      const isWhole = kind === "default" || !(wasAhead || isUncertain);
      const isDurable = kind === "default" || !this.#isAhead;
      breaches.push(
        ...history.recovered(content, this.#now.now(), { how, isWhole, isUncertain, wasAhead, isDurable }),
      );
    }
    this.#death = "kill";
  }

  #listen(storage: Subject): void {
    const { deliveries } = this.#ledger;
    storage.on("deadLetter", (letter) => {
      deliveries.dead(letter.version);
      if (this.#setup.kind === "queue") this.#giveUp(letter);
    });
  }

  async #finish(): Promise<void> {
    const storage = await this.#open([]);
    if (storage === undefined) return;
    this.#life.adapter.heal();
    this.#life.worker.heal();
    for (
      let attempt = 0;
      attempt < 6 && (await this.#flushed(storage)) === "LEAKDB_FLUSH_FAILED";
      attempt += 1
    )
      for (const letter of storage.deadLetters()) this.#retry(letter);
    for (const key of this.#setup.kind === "behind" ? this.#ledger.history.givenUp : [])
      mutate(storage, { op: "set", key, pad: 0, ttl: undefined }, false, this.#ledger);
    const code = await this.#flushed(storage);
    if (code !== undefined)
      this.#ledger.breaches.push(`the last flush fails with ${code} though nothing else does`);
    if (this.#setup.kind === "queue") this.#ledger.breaches.push(...this.#ledger.deliveries.lost());
    if (this.#setup.kind === "behind") this.#compareBackend(storage);
    const { outcome } = await this.#closed(storage, LIVELY_MS);
    if (outcome !== "resolved") this.#ledger.breaches.push("the last close fails though nothing else does");
    await this.#advance(TIMEOUT_MS);
    this.#ledger.breaches.push(...this.#life.unsettled());
    this.#endSoftly();
    if (this.#breaches.length > 0) return;
    const again = await this.#open([]);
    if (again === undefined) return;
    await this.#advance(TIMEOUT_MS);
    const { waiting = 0 } = again.stats().queue ?? {};
    if (waiting > 0) this.#ledger.breaches.push(`${waiting} mutations wait after a close that left nothing`);
    await this.#closed(again, LIVELY_MS);
  }

  /** The code with which it fails, `undefined` when it does not. */
  async #flushed(storage: Subject): Promise<string | undefined> {
    const { kind, isSyncedApart } = this.#setup;
    const level = kind === "behind" && isSyncedApart ? ({ level: "synced" } as const) : {};
    const flush = this.#life.watch(
      storage.flush({ ...level, timeout: LIVELY_MS }),
      "the last flush",
      LIVELY_MS,
    );
    await this.#until(flush, LIVELY_MS);
    if (typeof flush.outcome === "object") return String((flush.outcome.error as { code?: unknown }).code);
    return flush.outcome === "resolved" ? undefined : "no answer";
  }

  /** I9: the backend holds what memory holds. */
  #compareBackend(storage: Subject): void {
    const nowMs = this.#now.now();
    const stored = new Map<string, string>();
    for (const { key, value, version, expiresAt } of this.#backend.state.records.values())
      if (expiresAt === 0 || expiresAt > nowMs)
        stored.set(key, `${String(CODEC.decode(value))}@${version}, ${expiresAt}`);
    const memory = contentOf(storage);
    for (const key of new Set([...stored.keys(), ...memory.keys()])) {
      const found = memory.get(key);
      const text = found && `${String(found.value)}@${found.version}, ${found.expiresAt}`;
      if (text === stored.get(key)) continue;
      const brief = (each: string | undefined): string => each?.replace(/\.+/, "") ?? "nothing";
      this.#ledger.breaches.push(
        `I9: of ${key} the backend has ${brief(stored.get(key))} and memory ${brief(text)}`,
      );
    }
  }

  #operated(): void {
    if (this.#armed === undefined || this.#life.isOver) return;
    this.#armed.after -= 1;
    if (this.#armed.after <= 0) this.#die(this.#armed.how, this.#armed.seed);
  }

  #die(how: Death, seed: number): void {
    this.#leave(how);
    if (how === "cut") {
      this.#disk.crash({ seed });
      this.#backend.cut(new SeededRandom(seed));
    } else {
      this.#disk.kill();
      this.#backend.kill();
    }
  }

  /** The process goes on without the storage: what it held is free. */
  #endSoftly(): void {
    this.#leave("kill");
    if (this.#backend.state.owner !== undefined) this.#ledger.breaches.push("I10: the backend is still open");
    this.#backend.kill();
  }

  #leave(how: Death): void {
    const { hasJournalFailed } = this.#life;
    this.#isAhead ||= hasJournalFailed;
    this.#ledger.deliveries.ended(how, !hasJournalFailed, this.#setup.sync !== "never", this.#ledger.now);
    this.#ledger.history.endBurst();
    this.#life.end();
    this.#armed = undefined;
    this.#disk.heal();
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY;
    if (how === "cut") this.#death = "cut";
  }

  async #turns(count: number): Promise<void> {
    this.#ledger.history.endBurst();
    for (let turn = 0; turn < count && !this.#life.isOver; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#ledger.turn += 1;
    }
  }

  async #advance(ms: number): Promise<void> {
    this.#ledger.history.endBurst();
    await this.#now.advance(ms);
    this.#ledger.turn += 16;
  }

  /** Lets turns and time pass until it has settled, or this life is over. */
  async #until(watched: Watched, mostMs: number): Promise<void> {
    const untilMs = this.#now.now() + mostMs;
    while (watched.outcome === "pending" && !this.#life.isOver && this.#now.now() <= untilMs) {
      await this.#turns(6);
      if (watched.outcome === "pending" && !this.#life.isOver) await this.#advance(STEP_MS);
    }
  }
}

const STEP_MS = 5;
const OTHER: ReadonlySet<string> = new Set([
  ...["turns", "advance", "persisted", "flush", "retry", "discard", "poison", "cure", "down", "up"],
  ...["full", "fault", "arm"],
]);

function isOther(step: Life["steps"][number]): step is OtherStep {
  return OTHER.has(step.op);
}
