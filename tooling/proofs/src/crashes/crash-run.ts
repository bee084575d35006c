/**
 * Runs one plan: life after life of one storage on one disk, each ended by a crash or a close, each opening judged by the
 * ledger; then a last one without faults, in which everything must come right.
 *
 *     opening ─▶ recovered as acknowledged? ─▶ steps ─▶ kill, power cut, close ─▶ opening, which may be cut as well …
 *
 * The real code runs; simulated are the disk, the backend, the worker and the clock.
 */

import { type DeadLetter, msgpackCodec } from "@leakdb/core";
import { SeededRandom } from "@leakdb/testkit";
import type { Life, OtherStep, Plan, Setup } from "./crash-plan.js";
import { CrashWorld, LIVELY_MS } from "./crash-world.js";
import { mutate } from "./mutate.js";
import { contentOf, type Subject, WRITE_TIMEOUT_MS } from "./open-subject.js";
import type { Planted } from "./planted-faults.js";

const TIMEOUT_MS = 1_500;
const CODEC = msgpackCodec();

export class CrashRun {
  readonly #plan: Plan;
  readonly #setup: Setup;
  readonly #world: CrashWorld;

  constructor(plan: Plan, planted: Planted = {}) {
    this.#plan = plan;
    this.#setup = plan.setup;
    this.#world = new CrashWorld(plan.setup, planted);
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
        if (this.#world.breaches.length > 0 || this.#world.isHalfGone) return this.#world.breaches;
      }
      await this.#finish();
      return this.#world.breaches;
    } finally {
      Math.random = random;
      performance.now = now;
    }
  }

  async #live({ openings, steps, end }: Life): Promise<void> {
    const storage = await this.#world.open(openings);
    if (storage === undefined) return;
    for (const step of steps) {
      if (this.#world.life.isOver) break;
      if (isOther(step)) await this.#step(storage, step);
      else mutate(storage, step, this.#setup.isBig, this.#world.ledger);
      if (this.#world.breaches.length > 0) return;
    }
    if (this.#world.life.isOver) return;
    this.#world.ledger.breaches.push(
      ...this.#world.ledger.history.differences(contentOf(storage), this.#world.now.now()),
    );
    if (end.how === "close") await this.#close(storage, end);
    else this.#world.die(end.how, end.seed);
  }

  async #step(storage: Subject, step: OtherStep): Promise<void> {
    switch (step.op) {
      case "turns":
        return this.#world.turns(step.count);
      case "advance":
        return this.#world.advance(step.ms);
      case "persisted":
      case "flush":
        return this.#wait(storage, step);
      case "retry":
      case "discard":
        return this.#bury(storage, step);
      case "poison":
        this.#world.life.worker.poison(step.key);
        return this.#world.life.adapter.rejectKey(step.key);
      case "cure":
        this.#world.life.worker.cure(step.key);
        return this.#world.life.adapter.acceptKey(step.key);
      case "down":
        return this.#world.life.goDown();
      case "up":
        return this.#world.life.goUp();
      case "full":
        this.#world.disk.capacityBytes = this.#world.disk.snapshot().contents().bytes + step.bytes;
        return;
      case "fault":
        return this.#world.disk.fail(step);
      case "arm":
        this.#world.armed = { ...step };
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
    const life = this.#world.life;
    life.watch(promise, `${op} ${level}`, TIMEOUT_MS, () => {
      const { deliveries, breaches, history } = this.#world.ledger;
      if (kind === "queue" && level !== "journaled") breaches.push(...deliveries.undone(version, key));
      else
        this.#world.ledger.acknowledge(
          life.survives(isFlushOfAll ? "memory" : level, this.#setup),
          version,
          key,
        );
      if (next === undefined) return;
      history.endBurst();
      mutate(storage, { op: "set", key: next, pad: 0, ttl: undefined }, false, this.#world.ledger);
      history.endBurst();
    });
  }

  #bury(storage: Subject, { op, pick }: Extract<OtherStep, { op: "retry" | "discard" }>): void {
    const letters = storage.deadLetters();
    const letter = letters[pick % Math.max(1, letters.length)];
    if (letter === undefined) return;
    if (op === "retry") this.#retry(letter);
    else if (letter.discard()) {
      this.#world.ledger.deliveries.done(letter.version, this.#world.ledger.now);
      this.#world.giveUp(letter);
    }
  }

  #retry(letter: DeadLetter): void {
    this.#world.ledger.deliveries.revived(letter.key);
    letter.retry();
  }

  async #close(storage: Subject, { timeout, isDown, isKilledAfter }: Extract<Life["end"], { how: "close" }>) {
    if (isDown) this.#world.life.goDown();
    const closing = await this.#world.closed(storage, timeout);
    if (this.#world.life.isOver) return;
    if (typeof closing.outcome === "object") {
      const { code, message } = closing.outcome.error as { code?: string; message: string };
      const isKept = message.includes("the journal keeps them");
      if (code === "LEAKDB_CLOSE_INCOMPLETE" && isKept)
        this.#world.ledger.acknowledge(
          this.#setup.sync === "never" ? ["kill"] : ["kill", "cut"],
          storage.version,
        );
    }
    if (isKilledAfter) return this.#world.die("kill", 0);
    await this.#world.advance(2 * TIMEOUT_MS + 4 * WRITE_TIMEOUT_MS);
    if (this.#world.life.isOver) return;
    this.#world.ledger.breaches.push(...this.#world.life.unsettled());
    this.#world.endSoftly();
  }

  async #finish(): Promise<void> {
    const storage = await this.#world.open([]);
    if (storage === undefined) return;
    this.#world.life.adapter.heal();
    this.#world.life.worker.heal();
    for (
      let attempt = 0;
      attempt < 6 && (await this.#flushed(storage)) === "LEAKDB_FLUSH_FAILED";
      attempt += 1
    )
      for (const letter of storage.deadLetters()) this.#retry(letter);
    for (const key of this.#setup.kind === "behind" ? this.#world.ledger.history.givenUp : [])
      mutate(storage, { op: "set", key, pad: 0, ttl: undefined }, false, this.#world.ledger);
    const code = await this.#flushed(storage);
    if (code !== undefined)
      this.#world.ledger.breaches.push(`the last flush fails with ${code} though nothing else does`);
    if (this.#setup.kind === "queue")
      this.#world.ledger.breaches.push(...this.#world.ledger.deliveries.lost());
    if (this.#setup.kind === "behind") this.#compareBackend(storage);
    const { outcome } = await this.#world.closed(storage, LIVELY_MS);
    if (outcome !== "resolved")
      this.#world.ledger.breaches.push("the last close fails though nothing else does");
    await this.#world.advance(TIMEOUT_MS);
    this.#world.ledger.breaches.push(...this.#world.life.unsettled());
    this.#world.endSoftly();
    if (this.#world.breaches.length > 0) return;
    const again = await this.#world.open([]);
    if (again === undefined) return;
    await this.#world.advance(TIMEOUT_MS);
    const { waiting = 0 } = again.stats().queue ?? {};
    if (waiting > 0)
      this.#world.ledger.breaches.push(`${waiting} mutations wait after a close that left nothing`);
    await this.#world.closed(again, LIVELY_MS);
  }

  /** The code with which it fails, `undefined` when it does not. */
  async #flushed(storage: Subject): Promise<string | undefined> {
    const { kind, isSyncedApart } = this.#setup;
    const level = kind === "behind" && isSyncedApart ? ({ level: "synced" } as const) : {};
    const flush = this.#world.life.watch(
      storage.flush({ ...level, timeout: LIVELY_MS }),
      "the last flush",
      LIVELY_MS,
    );
    await this.#world.until(flush, LIVELY_MS);
    if (typeof flush.outcome === "object") return String((flush.outcome.error as { code?: unknown }).code);
    return flush.outcome === "resolved" ? undefined : "no answer";
  }

  /** I9: the backend holds what memory holds. */
  #compareBackend(storage: Subject): void {
    const nowMs = this.#world.now.now();
    const stored = new Map<string, string>();
    for (const { key, value, version, expiresAt } of this.#world.backend.state.records.values())
      if (expiresAt === 0 || expiresAt > nowMs)
        stored.set(key, `${String(CODEC.decode(value))}@${version}, ${expiresAt}`);
    const memory = contentOf(storage);
    for (const key of new Set([...stored.keys(), ...memory.keys()])) {
      const found = memory.get(key);
      const text = found && `${String(found.value)}@${found.version}, ${found.expiresAt}`;
      if (text === stored.get(key)) continue;
      const brief = (each: string | undefined): string => each?.replace(/\.+/, "") ?? "nothing";
      this.#world.ledger.breaches.push(
        `I9: of ${key} the backend has ${brief(stored.get(key))} and memory ${brief(text)}`,
      );
    }
  }
}

const OTHER: ReadonlySet<string> = new Set([
  ...["turns", "advance", "persisted", "flush", "retry", "discard", "poison", "cure", "down", "up"],
  ...["full", "fault", "arm"],
]);

function isOther(step: Life["steps"][number]): step is OtherStep {
  return OTHER.has(step.op);
}
