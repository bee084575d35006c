/**
 * The world of one run: a disk, a backend and a clock that outlast the lives on them; and how a life begins, is judged,
 * waits and ends.
 */

import { type DeadLetter, isLeakDBError } from "@leakdb/core";
import { ManualClock, SeededRandom, SimulatedDisk } from "@leakdb/testkit";
import { ALL_KEYS, type Death, type FailedOpening, type Setup } from "./crash-plan.js";
import { Ledger } from "./ledger.js";
import { LifeUnderWay, type Watched } from "./life-under-way.js";
import { MortalBackend } from "./mortal-backend.js";
import { contentOf, openSubject, type Subject } from "./open-subject.js";
import type { Planted } from "./planted-faults.js";

/** How long anything may take once nothing fails any more. */
export const LIVELY_MS = 30_000;
const OPENINGS_MAX = 12;
const STEP_MS = 5;
/** Turns of the event loop that the clock takes, at least, whenever it is moved. */
const TURNS_PER_ADVANCE = 16;

export class CrashWorld {
  readonly setup: Setup;
  readonly now = new ManualClock();
  readonly disk: SimulatedDisk;
  readonly backend: MortalBackend;
  readonly ledger: Ledger;
  readonly #planted: Planted;
  life!: LifeUnderWay;
  armed: { readonly how: Death; after: number; readonly seed: number } | undefined;
  /** What has happened since the last opening that succeeded. */
  #death: Death = "kill";
  /** The backend may have what neither the journal nor its own disk has. */
  #isAhead = false;
  /** A failed journal's files went one by one, as the disk took nothing new, and a crash came between: salvage is the way out. */
  isHalfGone = false;

  constructor(setup: Setup, planted: Planted) {
    this.setup = setup;
    this.#planted = planted;
    const pause = () => new Promise<void>((resolve) => void this.now.setTimeout(resolve, setup.diskMs));
    this.disk = new SimulatedDisk({
      ...(setup.diskMs > 0 ? { pause } : {}),
      onOperation: () => this.#operated(),
    });
    this.backend = new MortalBackend({ lanesMax: 4, isSyncedApart: setup.isSyncedApart });
    this.ledger = new Ledger(setup, () => this.now.now());
  }

  get breaches(): string[] {
    return [...this.ledger.breaches, ...this.ledger.deliveries.breaches];
  }

  /** The storage, judged; `undefined` when it does not open, or not at all any more. */
  async open(openings: readonly FailedOpening[]): Promise<Subject | undefined> {
    for (let attempt = 0; attempt < OPENINGS_MAX; attempt += 1) {
      const storage = await this.#tryOpening(openings[attempt], attempt < OPENINGS_MAX / 2);
      if (storage !== undefined) return storage;
      if (this.breaches.length > 0 || this.isHalfGone) return undefined;
    }
    this.ledger.breaches.push(`the storage does not open in ${OPENINGS_MAX} attempts`);
    return undefined;
  }

  async #tryOpening(failing: FailedOpening | undefined, isFaulty: boolean): Promise<Subject | undefined> {
    this.ledger.life += 1;
    const life = new LifeUnderWay(
      ...([this.setup, this.now, this.backend, this.ledger, isFaulty, this.#planted.adapter] as const),
    );
    this.life = life;
    if (failing?.how === "fault") this.disk.fail(failing);
    else this.armed = failing && { ...failing };
    const files = this.#planted.files?.(this.disk.files) ?? this.disk.files;
    const { clock, adapter, worker } = life;
    const opening = openSubject(this.setup, {
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
    await this.until(watched, LIVELY_MS);
    this.armed = undefined;
    this.disk.heal();
    if (life.isOver) return undefined;
    if (life.storage === undefined) return this.#unopened(watched, failing?.how === "fault" || isFaulty);
    this.#judge(life.storage);
    return life.storage;
  }

  #unopened({ outcome }: Watched, isExcused: boolean): undefined {
    const error = typeof outcome === "object" ? outcome.error : new Error("it never settled");
    this.isHalfGone = this.#isAhead && String(error).includes("is missing");
    if (this.isHalfGone) return undefined;
    const isDocumented = isLeakDBError(error) && error.code === "LEAKDB_OPEN_FAILED" && isExcused;
    if (!isDocumented) this.ledger.breaches.push(`I7: the opening failed: ${String(error)}`);
    if (this.ledger.life % 2 === 0) this.die("kill", 0);
    else this.endSoftly();
    return undefined;
  }

  /** What the opening found is what was acknowledged, or newer. */
  #judge(storage: Subject): void {
    const { kind, sync } = this.setup;
    const { history, breaches } = this.ledger;
    const how = this.#death;
    const content = contentOf(storage);
    const wasAhead = this.#isAhead;
    if (this.backend.isSynced) this.#isAhead = false;
    const isUncertain = kind === "behind" && sync === "never" && how === "cut";
    if (kind === "queue") breaches.push(...history.recoveredPending(content, this.now.now(), how));
    else {
      const isWhole = kind === "default" || !(wasAhead || isUncertain);
      const isDurable = kind === "default" || !this.#isAhead;
      breaches.push(
        ...history.recovered(content, this.now.now(), { how, isWhole, isUncertain, wasAhead, isDurable }),
      );
    }
    this.#death = "kill";
  }

  #listen(storage: Subject): void {
    const { deliveries } = this.ledger;
    storage.on("deadLetter", (letter) => {
      deliveries.dead(letter.version);
      if (this.setup.kind === "queue") this.giveUp(letter);
    });
  }

  /** The key's state is a letter, or was given up: what was before it may be back. */
  giveUp({ operation, key, version }: DeadLetter): void {
    const keys = operation === "clear" ? ALL_KEYS.filter((each) => each.startsWith(key)) : [key];
    for (const each of keys) this.ledger.history.giveUp(each, version);
  }

  #operated(): void {
    if (this.armed === undefined || this.life.isOver) return;
    this.armed.after -= 1;
    if (this.armed.after <= 0) this.die(this.armed.how, this.armed.seed);
  }

  /** The process is killed, or the machine loses its power. */
  die(how: Death, seed: number): void {
    this.#leave(how);
    if (how === "cut") {
      this.disk.crash({ seed });
      this.backend.cut(new SeededRandom(seed));
    } else {
      this.disk.kill();
      this.backend.kill();
    }
  }

  /** The process goes on without the storage: what it held is free. */
  endSoftly(): void {
    this.#leave("kill");
    if (this.backend.state.owner !== undefined) this.ledger.breaches.push("I10: the backend is still open");
    this.backend.kill();
  }

  #leave(how: Death): void {
    const { hasJournalFailed } = this.life;
    this.#isAhead ||= hasJournalFailed;
    this.ledger.deliveries.ended(how, !hasJournalFailed, this.setup.sync !== "never", this.ledger.now);
    this.ledger.history.endBurst();
    this.life.end();
    this.armed = undefined;
    this.disk.heal();
    this.disk.capacityBytes = Number.POSITIVE_INFINITY;
    if (how === "cut") this.#death = "cut";
  }

  async turns(count: number): Promise<void> {
    this.ledger.history.endBurst();
    for (let turn = 0; turn < count && !this.life.isOver; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.ledger.turn += 1;
    }
  }

  async advance(ms: number): Promise<void> {
    this.ledger.history.endBurst();
    await this.now.advance(ms);
    this.ledger.turn += TURNS_PER_ADVANCE;
  }

  /** Lets turns and time pass until it has settled, or this life is over. */
  async until(watched: Watched, mostMs: number): Promise<void> {
    const untilMs = this.now.now() + mostMs;
    while (watched.outcome === "pending" && !this.life.isOver && this.now.now() <= untilMs) {
      await this.turns(6);
      if (watched.outcome === "pending" && !this.life.isOver) await this.advance(STEP_MS);
    }
  }

  /** Waits for the close, and says what it promises. */
  async closed(storage: Subject, timeout: number): Promise<Watched> {
    const { version } = storage;
    const life = this.life;
    const { kind } = this.setup;
    const closing = life.watch(storage.close({ timeout }), "close", timeout, () => {
      if (kind === "queue") this.ledger.breaches.push(...this.ledger.deliveries.undone(version, undefined));
      else
        this.ledger.acknowledge(
          kind === "behind" ? ["kill", "cut"] : life.survives("memory", this.setup),
          version,
        );
    });
    await this.until(closing, timeout + LIVELY_MS);
    return closing;
  }
}
