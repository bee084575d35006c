/**
 * The adapter: one session after another, each under an epoch of its own.
 *
 *     open ──▶ live ──▶ a connection fails ──▶ the next call begins a session anew
 *               └──▶ another epoch in the mark ──▶ fenced, for good
 *
 * Keeps:
 * - Nothing is written but by scripts under the epoch of the session at hand.
 * - `close` resolves once the epoch has been raised, or when nothing is left that could still land.
 */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  failureKind,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { Acknowledged } from "./acknowledged.js";
import { BatchWriter } from "./batch-writer.js";
import { capabilitiesOf, LANES_MAX } from "./capabilities.js";
import { addressText, type Settings } from "./options.js";
import { type Owner, renew, syncDisks } from "./ownership.js";
import { load, scan, scanNames } from "./reader.js";
import { awayError, fenced, redisError, replyCode, unchanged } from "./redis-errors.js";
import { Tenancy, type Tenure } from "./tenancy.js";

const BEATS_PER_LEASE = 3;

export class RedisAdapter implements Adapter {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #owner: Owner;
  readonly #tenancy: Tenancy;
  readonly #isBusy: boolean[] = new Array<boolean>(LANES_MAX).fill(false);
  #context: AdapterContext | undefined;
  #tenure: Tenure | undefined;
  #renewing: Promise<Tenure> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #isBeating = false;
  #isFailing = false;
  #fenced: AdapterError | undefined;
  /** Aborted when the adapter closes. */
  #life = new AbortController();
  #opening: Promise<unknown> | undefined;
  /** The tenure in which a write was left without an answer: core closes and opens again, with what it has in memory. */
  #interrupted: Tenure | undefined;
  /** Outlives a close: the adapter may open again after a failover. */
  #acknowledged: Acknowledged | undefined;
  /** What a failover has lost was acknowledged all the same, and core remembers it. */
  #highVersion = 0;

  constructor(settings: Settings) {
    const [seed] = settings.seeds;
    const { connection, keyPrefix } = settings;
    const place = seed === undefined ? (connection.name ?? connection.path ?? "redis") : addressText(seed);
    this.name = `${place} ${keyPrefix}`;
    this.#settings = settings;
    this.capabilities = capabilitiesOf(settings);
    const id = randomUUID();
    this.#owner = { id, label: `process ${process.pid} of ${hostname()} (${id.slice(0, 8)})` };
    this.#tenancy = new Tenancy(this.name, settings, this.#owner);
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#context !== undefined) {
      throw new AdapterError(`${this.name}: it is open already`, { kind: "permanent" });
    }
    this.#context = context;
    this.#life = new AbortController();
    const signal = AbortSignal.any([context.signal, this.#life.signal]);
    const opening = this.#begin(context, signal, this.#interrupted, true);
    this.#opening = opening.catch(() => undefined);
    try {
      const tenure = await opening;
      this.#life.signal.throwIfAborted();
      this.#tenure = tenure;
      this.#interrupted = undefined;
      const highVersion = this.#compare(tenure, context);
      const beatMs = this.#settings.leaseMs / BEATS_PER_LEASE;
      this.#heartbeat = setInterval(() => void this.#beat(), beatMs).unref();
      return { storeId: tenure.storeId, highVersion, bytes: 0 };
    } catch (error) {
      this.#context = undefined;
      throw error;
    }
  }

  async write(
    batch: readonly Mutation[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WriteResult> {
    const tenure = await this.#liveUntil(signal);
    const lane = Math.max(0, this.#isBusy.indexOf(false));
    this.#isBusy[lane] = true;
    try {
      const rejected = await this.#writer(tenure, lane, signal).write(batch);
      return { bytes: 0, rejected };
    } catch (error) {
      if (signal.aborted || failureKind(error) === "ambiguous") this.#interrupted = tenure;
      // What was given up is ended, so that nobody waits for its answer.
      this.#endIfFailed(tenure, error, signal.aborted);
      throw this.#fenced ?? error;
    } finally {
      this.#isBusy[lane] = false;
    }
  }

  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#reading("load", ({ session }) => load(session, keys));
  }

  async *scan({ prefix = "", after = "" }): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    const pages = await this.#reading("scan", async ({ session }) => scan(session, prefix, after));
    try {
      for (;;) {
        const next = await this.#reading("scan", () => pages.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await pages.return();
    }
  }

  /** Where `synced` is no level, or every acknowledgement is of the disk, the server has to be there and no more. */
  async sync(): Promise<void> {
    const { commandTimeoutMs } = this.#settings;
    await this.#reading("sync", async (tenure) => {
      if (tenure.syncMode !== "WAITAOF") return;
      const refusal = await syncDisks(tenure.session, tenure.epoch, Math.ceil(commandTimeoutMs / 2));
      if (refusal !== undefined) throw this.#refused(refusal, tenure);
    });
  }

  async close(): Promise<void> {
    this.#life.abort(new AdapterError(`${this.name}: it is closed`, { kind: "transient" }));
    clearInterval(this.#heartbeat);
    await this.#opening;
    await this.#renewing?.catch(() => undefined);
    const tenure = this.#tenure;
    this.#tenure = undefined;
    this.#context = undefined;
    if (tenure !== undefined) await this.#tenancy.end(tenure);
    await this.#tenancy.proveDead();
  }

  #writer(tenure: Tenure, lane: number, signal: AbortSignal): BatchWriter {
    const context = this.#open();
    return new BatchWriter({
      name: this.name,
      session: tenure.session,
      epoch: tenure.epoch,
      lane,
      clock: context.clock,
      signal,
      acknowledged: this.#acknowledged as Acknowledged,
      onLoss: (loss) => context.report(loss.error(this.name)),
      onRefusal: (answer) => this.#refused(answer, tenure),
      names: (prefix) => scanNames(tenure.session, prefix),
    });
  }

  async #reading<Result>(what: string, read: (tenure: Tenure) => Promise<Result>): Promise<Result> {
    const tenure = await this.#live();
    try {
      return await read(tenure);
    } catch (error) {
      this.#endIfFailed(tenure, error, false);
      throw this.#fenced ?? redisError(this.name, what, error, unchanged(error));
    }
  }

  /**
   * Ends the session when a connection of it has failed, and when its server has become a replica: a new one finds
   * another. What other calls are doing on a sound session goes on.
   */
  #endIfFailed(tenure: Tenure, error: unknown, isGivenUp: boolean): void {
    const { session } = tenure;
    const isReplica = replyCode((error as Error).cause ?? error) === "READONLY";
    if (isReplica || (session.isUncertain && (isGivenUp || !session.isUp))) {
      this.#tenancy.abandon(tenure, error as Error);
    }
  }

  #open(): AdapterContext {
    if (this.#context === undefined) {
      throw new AdapterError(`${this.name}: it is not open`, { kind: "transient", code: "LEAKDB_CLOSED" });
    }
    return this.#context;
  }

  /** The tenure at hand, or a new one when its session has failed. @throws AdapterError; nothing was sent. */
  async #live(): Promise<Tenure> {
    const context = this.#open();
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#tenure?.session.isUp) return this.#tenure;
    this.#renewing ??= this.#renew(context).finally(() => {
      this.#renewing = undefined;
    });
    const tenure = await this.#renewing;
    this.#open();
    return tenure;
  }

  /** As `#live`, for no longer than `signal` lasts. @throws AdapterError, transient */
  async #liveUntil(signal: AbortSignal): Promise<Tenure> {
    const givenUp = (): AdapterError =>
      new AdapterError(`${this.name}: the write was given up`, { kind: "transient", cause: signal.reason });
    if (signal.aborted) throw givenUp();
    let stop = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(givenUp());
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return await Promise.race([this.#live(), aborted]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #renew(context: AdapterContext): Promise<Tenure> {
    const before = this.#tenure as Tenure;
    const { loss } = before.session;
    // No call has failed by it, so that nobody else tells.
    if (loss !== undefined) context.report(redisError(this.name, "connecting again", loss, "transient"));
    this.#tenancy.abandon(before, new Error("a connection has failed"));
    try {
      const tenure = await this.#begin(context, this.#life.signal, before, false);
      this.#compare(tenure, context);
      this.#tenure = tenure;
      return tenure;
    } catch (error) {
      // A wrong password, say, is no fault of what was to be written: it waits until somebody mends that.
      throw error === this.#fenced ? error : awayError(error as AdapterError);
    }
  }

  /** @param before the tenure that this one continues, with what memory has held since. */
  async #begin(
    context: AdapterContext,
    signal: AbortSignal,
    before: Tenure | undefined,
    givesBack: boolean,
  ): Promise<Tenure> {
    const how = { continues: before !== undefined, givesBack };
    const tenure = await this.#tenancy.begin(context, signal, this.#life.signal, how).catch((error) => {
      const { code } = error as AdapterError;
      const isTaken = before !== undefined && (code === "LEAKDB_LOCKED" || code === "LEAKDB_FENCED");
      throw isTaken ? this.#fence("", context) : error;
    });
    const changed = before && this.#changedSince(before, tenure, context);
    if (changed === undefined) return tenure;
    await this.#tenancy.end(tenure);
    throw changed;
  }

  /** What a store that was away must not have become meanwhile. */
  #changedSince(before: Tenure, now: Tenure, context: AdapterContext): AdapterError | undefined {
    if (now.storeId !== before.storeId) {
      const message = `${this.name}: the store is another one than before: its keys were removed, or a failover lost it; restore a backup, or open it anew`;
      return new AdapterError(message, { kind: "transient", code: "LEAKDB_CORRUPTION" });
    }
    return now.isContinued ? undefined : this.#fence("", context);
  }

  /** What the marks know now, against what was acknowledged before. @returns the highest version ever known of the store */
  #compare({ storeId, highs }: Tenure, context: AdapterContext): number {
    const before = this.#acknowledged?.storeId === storeId ? this.#acknowledged : undefined;
    const loss = before?.lostSince(highs);
    this.#acknowledged = new Acknowledged(storeId, highs);
    if (loss !== undefined) context.report(loss.error(this.name));
    const known = before === undefined ? 0 : Math.max(this.#highVersion, before.highest);
    this.#highVersion = Math.max(known, ...highs);
    return this.#highVersion;
  }

  /** What the answer of a script says that found another epoch. Nothing was changed by it. */
  #refused([, found = "", label = ""]: readonly string[], tenure: Tenure): AdapterError {
    const message = `${this.name}: sent over a connection that was replaced`;
    if (tenure !== this.#tenure) return new AdapterError(message, { kind: "transient" });
    if (Number(found) > Number(tenure.epoch)) return this.#fence(label, this.#open());
    const gone = new Error("the mark is gone, or older than it was");
    this.#tenancy.abandon(tenure, gone);
    return new AdapterError(`${this.name}: ${gone.message}: a failover may have lost it`, {
      kind: "transient",
    });
  }

  #fence(by: string, context: AdapterContext): AdapterError {
    if (this.#fenced === undefined) {
      this.#fenced = fenced(this.name, by);
      clearInterval(this.#heartbeat);
      this.#tenure?.session.destroy(this.#fenced);
      context.report(this.#fenced);
    }
    return this.#fenced;
  }

  /** Keeps the lease, and finds out early what has become of the server. */
  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    try {
      const tenure = await this.#live();
      const answer = await renew(tenure.session, this.#settings, tenure.epoch);
      if (answer[0] !== "OK") throw this.#refused(answer, tenure);
      this.#isFailing = false;
    } catch (error) {
      const context = this.#context;
      if (context !== undefined && !this.#isFailing && this.#fenced === undefined) {
        context.report(redisError(this.name, "heartbeat", error, unchanged(error)));
      }
      this.#isFailing = true;
    } finally {
      this.#isBeating = false;
    }
  }
}
