/**
 * One run: commands against a storage and the model at once, each answer compared, and the whole content whenever
 * something was refused (I8), flushed (I9) or opened again.
 */

import { baseOf } from "./arguments.js";
import { checkRefused, deadKeysOf } from "./check-barrier.js";
import { checkBackend, checkEntry, checkOutcome, checkStorage, must, show } from "./check-content.js";
import { checkList, checkRead, checkWalk, type Reading } from "./check-reads.js";
import type { Command, Place } from "./command.js";
import {
  type Expectation,
  type Expected,
  expectWrite,
  type Issued,
  type Rules,
  type ValuePolicy,
} from "./expectation.js";
import { Model } from "./model.js";
import {
  type AnyStorage,
  type DataCommand,
  perform,
  type Setting,
  valuesOf,
  type WriteCommand,
} from "./perform.js";
import { attempt, nextTurn, type Outcome, outcomeOf, settled } from "./settled.js";
import type { Subject, WriteNote } from "./subject.js";
import { isEncodable, isValue, spoil } from "./value-spec.js";

type BarrierCommand = Extract<Command, { op: "flush" | "persisted" }>;

export class ModelRun {
  readonly model = new Model();
  readonly #subject: Subject;
  readonly #rules: Rules;
  readonly #onWrite: ((write: WriteNote) => void) | undefined;
  #storage!: AnyStorage;
  /** The last version of a command that succeeded. */
  #acknowledged = 0;

  constructor(subject: Subject, onWrite?: (write: WriteNote) => void) {
    this.#subject = subject;
    this.#onWrite = onWrite;
    const policyOf = (place: Place): ValuePolicy =>
      place.namespace === "" ? subject.policy : (subject.namespacePolicy ?? subject.policy);
    this.#rules = { policyOf, isThrough: subject.isThrough };
  }

  get storage(): AnyStorage {
    return this.#storage;
  }

  /** @throws Error naming the command that went wrong */
  async run(commands: readonly Command[]): Promise<void> {
    await this.change(commands);
    await this.#end();
  }

  /** `run` without the flush, the close and the second opening at the end. */
  async change(commands: readonly Command[]): Promise<void> {
    this.model.setTime(this.#subject.clock.now());
    this.#storage = await this.#subject.open();
    for (const [index, command] of commands.entries()) {
      try {
        const going = this.#step(this.#allowed(command));
        if (going !== undefined) await going;
      } catch (error) {
        throw new Error(`command ${index}, ${show(command)}: ${(error as Error).message}`, { cause: error });
      }
    }
  }

  /** Synchronous where it can be: a promise a command would cost more than the command. */
  #step(command: Command): Promise<void> | undefined {
    switch (command.op) {
      case "get":
      case "has":
      case "getEntry":
      case "getMulti":
        return checkRead(this.#reading(), command, this.#setting(command));
      case "keys":
      case "values":
      case "entries":
        return checkList(this.#reading(), command, this.#setting(command));
      case "walk":
        return checkWalk(this.#reading(), command, (each) => this.#step(each));
      case "advance":
        return this.#advance(command.ms);
      case "step":
        this.#subject.clock.set(this.#subject.clock.now() + command.ms);
        return this.#tellTime();
      case "turn":
        return nextTurn();
      case "reopen":
        return this.#reopen();
      case "flush":
      case "persisted":
        return this.#barrier(command);
      case "burst":
        return this.#burst(command.commands as readonly WriteCommand[]);
      default:
        return this.#write(command);
    }
  }

  #write(command: WriteCommand): Promise<void> | undefined {
    const setting = this.#setting(command);
    const before = this.#storage.version;
    const keysBefore =
      this.#onWrite && command.op.startsWith("delete") ? this.model.list().map(([key]) => key) : [];
    const expectation = expectWrite(this.model, this.#rules, command, setting.given as unknown[]);
    const outcome = attempt(() => perform(command, setting));
    // Under this policy the value was encoded at the call; what `update` answers is the caller's own object.
    if (this.#rules.policyOf(command) === "copied" && command.op !== "update") setting.given.forEach(spoil);
    const check = (answer: Outcome): void => {
      checkOutcome(answer, expectation.expected, this.#storage.version);
      const put = this.#onWrite ? this.model.pending().map(([key]) => key) : [];
      this.#adopt(expectation, before);
      const deleted = keysBefore.filter((key) => this.model.live(key) === undefined);
      const after = this.#storage.version;
      const cleared =
        command.op === "clear" && after > before ? baseOf(command) + (command.prefix ?? "") : undefined;
      this.#onWrite?.({ put, deleted, cleared, before, after });
    };
    if ("value" in outcome && outcome.value instanceof Promise)
      return settled(outcome.value, command.op).then(check);
    must(!this.#rules.isThrough, () => "answered without a promise");
    check(outcome);
    return undefined;
  }

  async #burst(commands: readonly WriteCommand[]): Promise<void> {
    const before = this.#storage.version;
    const started = commands.map((command) => {
      const setting = this.#setting(command);
      const { expected } = expectWrite(this.model, this.#rules, command, setting.given as unknown[]);
      const promise = perform(command, setting) as Promise<unknown>;
      if (this.#rules.policyOf(command) === "copied" && command.op !== "update") setting.given.forEach(spoil);
      return { command, expected, promise: outcomeOf(promise) };
    });
    for (const { command, expected, promise } of started) {
      const outcome = await promise;
      must(outcome !== undefined, () => `I10: ${command.op} of a burst did not settle`);
      const version = "value" in outcome ? (outcome.value as number) : 0;
      checkOutcome(outcome, expected, version);
      if (expected.is !== "version") continue;
      must(
        Number.isSafeInteger(version) && version <= this.#storage.version,
        () => `issued version ${version}`,
      );
    }
    this.#adopt({ expected: { is: "value", value: undefined }, issued: "maybe" }, before);
    checkStorage(this.#storage, this.model, this.#subject.policy);
  }

  /** Hears which versions were issued, and sees that a command which issues none has changed nothing (I8). */
  #adopt({ expected, issued }: Expectation, before: number): void {
    const { version } = this.#storage;
    must(
      isIssued(issued, before, version),
      () => `the version went from ${before} to ${version}, issuing ${issued}`,
    );
    if (version !== before) {
      must(version >= Math.floor(this.model.nowMs * 1_000), () => `version ${version} lags behind the clock`);
    }
    const seen = new Set<number>();
    for (const [key, entry] of this.model.pending()) {
      const found = this.model.live(key) === entry ? this.#storage.getEntry(key) : undefined;
      must(found !== undefined || this.model.live(key) === undefined, () => `has no entry ${show(key)}`);
      entry.version = found?.version ?? version;
      entry.isVersionGuessed = found === undefined;
      if (found) checkEntry(this.#storage, key, entry);
      const isNew = entry.version > before && entry.version <= version;
      must(isNew && !(found && seen.has(entry.version)), () => `${show(key)} has version ${entry.version}`);
      if (found) seen.add(entry.version);
    }
    must(
      this.#storage.size === this.model.size,
      () => `size is ${this.#storage.size} instead of ${this.model.size}`,
    );
    if (!isRefusal(expected) && issued !== "none" && issued !== "maybe") this.#acknowledged = version;
    if (isRefusal(expected)) checkStorage(this.#storage, this.model, this.#subject.policy);
  }

  #setting(command: Command): Setting {
    const key = "key" in command && typeof command.key === "string" ? command.key : "";
    const entry =
      "namespace" in command
        ? this.model.live(command.namespace + (command.keyPrefix ?? "") + key)
        : undefined;
    const current = entry === undefined || Number.isNaN(entry.version) ? 1 : entry.version;
    const wanted = command.op === "cas" ? command.version : "current";
    return {
      storage: this.#storage,
      nowMs: this.model.nowMs,
      namespacePolicy: this.#subject.namespacePolicy,
      casVersion: wanted === "current" ? current : wanted === "stale" ? current - 1 : 0,
      given: valuesOf(command),
    };
  }

  #reading(): Reading {
    return { storage: this.#storage, model: this.model, policyOf: this.#rules.policyOf };
  }

  /**
   * What cannot be encoded is of interest as a plain write. Elsewhere the contract leaves open whether a condition or
   * the encoding is looked at first, and views that copy what others share would meet it at each read.
   */
  #allowed(command: Command): Command {
    if (command.op === "burst")
      return { ...command, commands: command.commands.map((each) => this.#allowed(each)) };
    const { policy, namespacePolicy = policy } = this.#subject;
    const isFree =
      policy === namespacePolicy &&
      (policy === "reference" || (command.op === "set" && typeof command.key === "string"));
    if (isFree || !("value" in command) || isEncodable(command.value)) {
      if (command.op !== "setMulti" || isFree) return command;
      return {
        ...command,
        entries: command.entries.filter(([, spec]) => isEncodable(spec) || !isValue(spec)),
      };
    }
    return { ...command, value: { kind: "null", n: 0 } } as DataCommand;
  }

  async #advance(ms: number): Promise<void> {
    await this.#subject.clock.advance(ms);
    this.#tellTime();
    checkStorage(this.#storage, this.model, this.#subject.policy);
  }

  #tellTime(): undefined {
    const before = this.#storage.version;
    this.model.setTime(this.#subject.clock.now());
    for (const [key, entry] of this.model.doubtful()) {
      const found = this.#storage.getEntry(key);
      if (found === undefined) this.model.lapse(key);
      else if (entry.isVersionGuessed)
        Object.assign(entry, { version: found.version, isVersionGuessed: false });
    }
    must(this.#storage.version === before, () => "expiry issued a version");
  }

  async #barrier(command: BarrierCommand): Promise<void> {
    const { backend, clock, policy } = this.#subject;
    const { level } = command;
    const isEarlier = command.op === "flush" && command.isEarlier;
    const version = isEarlier ? (this.model.list()[0]?.[1].version ?? 0) : this.#storage.version;
    const key = command.op === "persisted" ? command.key : undefined;
    const promise =
      command.op === "flush"
        ? this.#storage.flush({ level, upTo: version })
        : this.#storage.persisted(version, level, { key });
    let outcome = await outcomeOf(promise, command.op === "flush" ? 2_000 : 12);
    if (outcome === undefined && command.op === "persisted") {
      await clock.advance(this.#subject.writeDelayMs);
      this.#tellTime();
      outcome = await outcomeOf(promise);
    }
    must(outcome !== undefined, () => `I10: ${command.op} did not settle`);
    if (backend === undefined && level !== "memory") {
      return checkOutcome(outcome, { is: "error", code: "LEAKDB_NOT_SUPPORTED" }, 0);
    }
    const refusedKeys = "error" in outcome ? deadKeysOf(outcome.error) : [];
    if (level === "memory") must(refusedKeys.length === 0, () => "memory alone is always reached");
    const isWhole = command.op === "flush" && !isEarlier && level !== "memory";
    if (isWhole && backend !== undefined) {
      checkRefused(refusedKeys, this.model);
      if (refusedKeys.length === 0) checkBackend(backend, this.model);
    }
    if (refusedKeys.length > 0) await this.#bury();
    checkStorage(this.#storage, this.model, policy);
  }

  /** Gets rid of dead letters, as users do: gives them up, or writes something else. */
  async #bury(): Promise<void> {
    let outcome: Outcome | undefined;
    // What is not due yet when a flush of earlier versions fails may be refused by the next.
    for (let round = 0; round < 5 && (outcome === undefined || "error" in outcome); round += 1) {
      for (const [index, letter] of this.#storage.deadLetters().entries()) {
        if (index % 2 === 0) letter.discard();
        const place = { namespace: "", keyPrefix: undefined, key: letter.key };
        await this.#write({ op: "set", ...place, value: { kind: "zero", n: 0 }, expiry: "none" });
      }
      outcome = await settled(this.#storage.flush(), "the flush without dead letters");
    }
    const error = outcome !== undefined && "error" in outcome ? outcome.error : undefined;
    must(error === undefined, () => `the flush fails without dead letters: ${show(error)}`);
    must(this.#storage.deadLetters().length === 0, () => "a dead letter outlives what replaced it");
  }

  async #reopen(): Promise<void> {
    const { backend, clock, policy } = this.#subject;
    if (backend === undefined) return;
    await this.#barrier({ op: "flush", level: "stored", isEarlier: false });
    const closed = await settled(this.#storage.close(), "close");
    must("value" in closed, () => `close failed: ${show((closed as { error: unknown }).error)}`);
    checkBackend(backend, this.model);
    must(clock.pendingTimers === 0, () => `${clock.pendingTimers} timers wait after the close`);
    const broken = this.#subject.recorder?.()?.brokenPromises ?? [];
    must(broken.length === 0, () => `the adapter contract was broken: ${broken.join("; ")}`);
    this.#storage = await this.#subject.open();
    const { storage } = this;
    const rises = storage.version >= this.#acknowledged;
    must(rises, () => `the version fell from ${this.#acknowledged} to ${storage.version} over the restart`);
    this.model.reopen((key) => storage.getEntry(key)?.version);
    this.#tellTime();
    checkStorage(storage, this.model, policy);
  }

  async #end(): Promise<void> {
    await this.#reopen();
    checkStorage(this.#storage, this.model, this.#subject.policy);
    const outcome = await settled(this.#storage.close(), "close");
    must("value" in outcome, () => `close failed: ${show((outcome as { error: unknown }).error)}`);
  }
}

function isRefusal({ is }: Expected): boolean {
  return is !== "value" && is !== "version";
}

function isIssued(issued: Issued, before: number, after: number): boolean {
  if (issued === "maybe") return after >= before;
  return issued === "none" ? after === before : after > before;
}
