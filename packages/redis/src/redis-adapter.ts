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
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { BatchWriter } from "./batch-writer.js";
import { addressText, type Settings } from "./options.js";
import { type Owner, release, renew, syncDisks } from "./ownership.js";
import { load, scan, scanNames } from "./reader.js";
import { fenced, redisError, unchangedKind } from "./redis-errors.js";
import { beginTenure, proveOver, type Tenure } from "./tenure.js";

/** Parallel connections for writes; one is enough for most, as batches are large. */
const LANES_MAX = 8;
const BEATS_PER_LEASE = 3;
/** A server takes 512 MiB; a page of a scan holds some. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;

export class RedisAdapter implements Adapter {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #owner: Owner;
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
  /** An epoch under which something was sent that nobody has answered and that may still land. */
  #unproven: string | undefined;
  #storeId = "";
  /** The highest version that the store has acknowledged to this adapter, or had before. */
  #highVersion = 0;

  constructor(settings: Settings) {
    const [seed] = settings.seeds;
    const { connection, keyPrefix } = settings;
    const place = seed === undefined ? (connection.name ?? connection.path ?? "redis") : addressText(seed);
    this.name = `${place} ${keyPrefix}`;
    this.#settings = settings;
    this.capabilities = {
      atomicBatch: false,
      ordered: false,
      lanesMax: LANES_MAX,
      levels: settings.synced ? ["stored", "synced"] : ["stored"],
      maxKeyBytes: Number.POSITIVE_INFINITY,
      maxValueBytes: MAX_VALUE_BYTES,
    };
    const id = randomUUID();
    this.#owner = { id, label: `process ${process.pid} of ${hostname()} (${id.slice(0, 8)})` };
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#context !== undefined) {
      throw new AdapterError(`${this.name}: it is open already`, { kind: "permanent" });
    }
    this.#context = context;
    this.#life = new AbortController();
    const life = this.#life.signal;
    try {
      const signal = AbortSignal.any([context.signal, life]);
      const tenure = await this.#begin(context, signal, this.#settings.takeover);
      if (life.aborted) {
        await this.#end(tenure);
        throw life.reason;
      }
      this.#tenure = tenure;
      this.#noteHighVersion(tenure, context);
      this.#heartbeat = setInterval(
        () => void this.#beat(),
        this.#settings.leaseMs / BEATS_PER_LEASE,
      ).unref();
      return { storeId: tenure.storeId, highVersion: this.#highVersion, bytes: 0 };
    } catch (error) {
      this.#context = undefined;
      throw error;
    }
  }

  async write(
    batch: readonly Mutation[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WriteResult> {
    const tenure = await this.#live();
    const lane = Math.max(0, this.#isBusy.indexOf(false));
    this.#isBusy[lane] = true;
    try {
      await this.#writer(tenure, lane, signal).write(batch);
    } catch (error) {
      // What was given up is ended, so that nobody waits for its answer.
      if (tenure.session.isUncertain) this.#abandon(tenure, error as Error);
      throw this.#fenced ?? error;
    } finally {
      this.#isBusy[lane] = false;
    }
    for (const { version } of batch) if (version > this.#highVersion) this.#highVersion = version;
    return { bytes: 0 };
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
    await this.#renewing?.catch(() => undefined);
    const tenure = this.#tenure;
    this.#tenure = undefined;
    this.#context = undefined;
    if (tenure !== undefined) await this.#end(tenure);
    if (this.#unproven === undefined) return;
    await proveOver(this.name, this.#settings, this.#owner, this.#unproven);
    this.#unproven = undefined;
  }

  #writer(tenure: Tenure, lane: number, signal: AbortSignal): BatchWriter {
    return new BatchWriter({
      name: this.name,
      session: tenure.session,
      epoch: tenure.epoch,
      lane,
      clock: this.#open().clock,
      signal,
      onRefusal: (answer) => this.#refused(answer, tenure),
      names: (prefix) => scanNames(tenure.session, prefix),
    });
  }

  async #reading<Result>(what: string, read: (tenure: Tenure) => Promise<Result>): Promise<Result> {
    const tenure = await this.#live();
    try {
      return await read(tenure);
    } catch (error) {
      if (tenure.session.isUncertain) this.#abandon(tenure, error as Error);
      throw this.#fenced ?? redisError(this.name, what, error, unchangedKind(error));
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

  async #renew(context: AdapterContext): Promise<Tenure> {
    const before = this.#tenure as Tenure;
    this.#abandon(before, new Error("a connection has failed"));
    const tenure = await this.#begin(context, this.#life.signal, false).catch((error: AdapterError) => {
      throw error.code === "LEAKDB_LOCKED" ? this.#fence("", context) : error;
    });
    const changed = this.#changedSince(before, tenure, context);
    if (changed !== undefined) {
      await this.#end(tenure);
      throw changed;
    }
    this.#tenure = tenure;
    return tenure;
  }

  /** What a store that was away must not have become meanwhile. */
  #changedSince(before: Tenure, now: Tenure, context: AdapterContext): AdapterError | undefined {
    if (now.storeId !== before.storeId) {
      const message = `${this.name}: the store is another one than before: its keys were removed, or a failover lost it; restore a backup, or open it anew`;
      return new AdapterError(message, { kind: "transient", code: "LEAKDB_CORRUPTION" });
    }
    const isOurs = now.ownerBefore === this.#owner.id;
    if (!isOurs && Number(now.epoch) > Number(before.epoch) + 1) return this.#fence("", context);
    this.#noteHighVersion(now, context);
    return undefined;
  }

  /** What a failover has lost is still in memory, where newer versions follow it; so it is told, and the store goes on. */
  #noteHighVersion({ storeId, highVersion }: Tenure, context: AdapterContext): void {
    if (storeId !== this.#storeId) this.#highVersion = 0;
    this.#storeId = storeId;
    if (highVersion < this.#highVersion) {
      const message = `${this.name}: a failover has lost writes that were acknowledged: the server knows versions to ${highVersion}, and ${this.#highVersion} was stored; set those keys again`;
      context.report(new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION" }));
    }
    this.#highVersion = Math.max(this.#highVersion, highVersion);
  }

  async #begin(context: AdapterContext, signal: AbortSignal, takeover: boolean): Promise<Tenure> {
    const tenure = await beginTenure({
      name: this.name,
      settings: { ...this.#settings, takeover },
      owner: this.#owner,
      signal,
      life: this.#life.signal,
      report: (error) => context.report(error),
    });
    this.#unproven = undefined;
    return tenure;
  }

  /** Gives the store up, if the server can still be told. */
  async #end(tenure: Tenure): Promise<void> {
    const { session, epoch } = tenure;
    try {
      // What is in the way of a connection is not waited for: it has the old epoch.
      if (session.isUp) {
        await release(session, epoch);
        this.#unproven = undefined;
        session.destroy(new Error("the store was closed"));
        return;
      }
    } catch (error) {
      session.destroy(error as Error);
    }
    this.#abandon(tenure, new Error("the store was closed"));
  }

  #abandon({ session, epoch }: Tenure, cause: Error): void {
    if (session.isUncertain) this.#unproven = epoch;
    session.destroy(cause);
  }

  /** What the answer of a script says that found another epoch. Nothing was changed by it. */
  #refused([, found = "", label = ""]: readonly string[], tenure: Tenure): AdapterError {
    const message = `${this.name}: sent over a connection that was replaced`;
    if (tenure !== this.#tenure) return new AdapterError(message, { kind: "transient" });
    if (Number(found) > Number(tenure.epoch)) return this.#fence(label, this.#open());
    const gone = new Error("the mark is gone, or older than it was");
    this.#abandon(tenure, gone);
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
        context.report(redisError(this.name, "heartbeat", error, unchangedKind(error)));
      }
      this.#isFailing = true;
    } finally {
      this.#isBeating = false;
    }
  }
}
