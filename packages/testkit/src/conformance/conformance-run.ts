/**
 * One run of one case: it opens adapters over the case's storage, gives calls a deadline, and cleans up after them.
 */

import assert from "node:assert/strict";
import { type Adapter, type AdapterContext, type Capabilities, systemClock } from "@leakdb/core/adapter";
import type { ConformanceHarness, Fixture, OtherProcess } from "./conformance-case.js";
import { seedOf } from "./for-all.js";
import { Moments } from "./moments.js";
import { OpenStore } from "./open-store.js";

const DEADLINE_MS = 10_000;

/** What core sends at most when nobody sets other limits. */
export const LIMITS = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 } as const;

export class ConformanceRun {
  readonly fixture: Fixture;
  /** What adapters have reported from the background so far. */
  readonly reported: Error[] = [];
  readonly #harness: ConformanceHarness;
  readonly #fixtures: Fixture[];
  #opened: Adapter[] = [];

  private constructor(harness: ConformanceHarness, fixture: Fixture) {
    this.#harness = harness;
    this.fixture = fixture;
    this.#fixtures = [fixture];
  }

  static async begin(harness: ConformanceHarness): Promise<ConformanceRun> {
    return new ConformanceRun(harness, await harness.create());
  }

  /** A run over a storage of its own, for a case that tries many; whoever asks for it disposes of it. */
  anew(): Promise<ConformanceRun> {
    return ConformanceRun.begin(this.#harness);
  }

  get seed(): number | undefined {
    return this.#harness.seed;
  }

  /** Asked of a fresh adapter that is never opened. */
  async capabilities(): Promise<Capabilities> {
    return (await this.fixture.adapter()).capabilities;
  }

  /** Opens a fresh adapter over the case's storage, or over another one. */
  async open(fixture: Fixture = this.fixture): Promise<OpenStore> {
    return this.openAdapter(await fixture.adapter());
  }

  async openAdapter(adapter: Adapter, signal?: AbortSignal): Promise<OpenStore> {
    const state = await this.settles(adapter.open(this.context(signal)), "open");
    this.#opened.push(adapter);
    return new OpenStore(adapter, state, (promise, what) => this.settles(promise, what));
  }

  /** Closes the store and opens its storage with a fresh adapter, as a restart does. */
  async reopen(store: OpenStore): Promise<OpenStore> {
    await this.close(store);
    return this.open();
  }

  async close(store: OpenStore): Promise<void> {
    await this.settles(store.close(), "close");
    this.#opened = this.#opened.filter((adapter) => adapter !== store.adapter);
  }

  /** Opens an adapter with a process of its own over the case's storage; a case that uses it requires that. */
  async openInProcess(): Promise<OpenStore> {
    return this.openAdapter(await this.otherProcess());
  }

  /** An adapter with a process of its own, not opened. */
  async otherProcess(): Promise<OtherProcess> {
    const adapter = await this.fixture.process?.();
    assert.ok(adapter !== undefined, "fixture.process must answer an adapter");
    return adapter;
  }

  /** `kill -9` of a store that `openInProcess` has opened. */
  async killProcess(store: OpenStore): Promise<void> {
    await this.settles((store.adapter as OtherProcess).kill(), "a kill -9");
    this.#opened = this.#opened.filter((adapter) => adapter !== store.adapter);
  }

  /** Kills the adapter as the fixture can; a case that uses it requires that. */
  async kill(store: OpenStore): Promise<void> {
    await this.fixture.kill?.(store.adapter);
    this.#opened = this.#opened.filter((adapter) => adapter !== store.adapter);
  }

  /** A second, empty storage. */
  async createAnother(): Promise<Fixture> {
    const fixture = await this.#harness.create();
    this.#fixtures.push(fixture);
    return fixture;
  }

  context(signal: AbortSignal = new AbortController().signal): AdapterContext {
    const clock = this.#harness.clock ?? systemClock;
    return { clock, signal, limits: LIMITS, report: (error) => void this.reported.push(error) };
  }

  now(): number {
    return (this.#harness.clock ?? systemClock).now();
  }

  /** Moments in the middle of such writes as `write` makes, for acts that must come there. */
  moments(write: (size: number) => Promise<unknown>): Promise<Moments> {
    return Moments.of({ seed: seedOf(this.seed) ?? Date.now(), sizeMax: LIMITS.batchMax, write });
  }

  /** What the promise settles with; fails the case when it hasn't by the deadline. */
  async settles<T>(promise: Promise<T>, what: string): Promise<T> {
    const deadlineMs = this.#harness.deadlineMs ?? DEADLINE_MS;
    let timer: NodeJS.Timeout | undefined;
    const hung = new Promise<never>((_, reject) => {
      const message = `${what} was expected to settle, and has not after ${deadlineMs} ms`;
      timer = setTimeout(() => reject(new assert.AssertionError({ message })), deadlineMs);
    });
    try {
      return await Promise.race([promise, hung]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Turns the event loop until it is so; fails the case when it isn't by the deadline. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + (this.#harness.deadlineMs ?? DEADLINE_MS);
    while (!isSo()) {
      assert.ok(performance.now() < endMs, what);
      await this.turns(1);
    }
  }

  /** The outcome of a call that may resolve or reject, as long as it settles. */
  async outcome<T>(call: () => Promise<T>, what: string): Promise<Outcome<T>> {
    try {
      return { ok: true, value: await this.settles(call(), what) };
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof Error, `${what} must reject with an Error`);
      return { ok: false, error };
    }
  }

  /** Lets the event loop turn, for whatever an adapter still has under way. */
  async turns(count = 20): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Closes what is open and removes the storages; fails with the first thing that did. */
  async dispose(): Promise<void> {
    const failures: unknown[] = [];
    for (const adapter of this.#opened) {
      await this.settles(adapter.close(), "close").catch((error: unknown) => failures.push(error));
    }
    for (const fixture of this.#fixtures) {
      await (async () => fixture.dispose())().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: Error };
