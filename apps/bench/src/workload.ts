/**
 * What a workload is. Its `run` is called in the main process and plans; whatever it measures it hands to a process
 * of its own, where `measure` does the work, so that no measurement leaves a heap, a thread or warm code to another.
 */

import type { Row } from "./row.js";

/** What a workload may know of the options. */
export interface BenchSettings {
  readonly entries: readonly number[];
  /** The largest of `entries`. */
  readonly entriesMax: number;
  readonly repeats: number;
  /** Pairs of the rows that take seconds each. */
  readonly repeatsCostly: number;
  readonly isFull: boolean;
  readonly isQuick: boolean;
}

/** Runs `measure` with these parameters in a process of its own. */
export type InChild<Params, Result> = (
  params: Params,
  options?: { heapMb?: number; keepsFiles?: boolean },
) => Promise<Result>;

export interface Workload<Params = never, Result = unknown> {
  readonly name: string;
  /** One line that says what is measured. */
  readonly title: string;
  /** Runs when asked for by name alone, for the time that it takes. */
  readonly isOptional?: boolean;
  run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]>;
  /** `directory` is empty, and removed afterwards. Parameters and result cross between processes as JSON. */
  measure(params: Params, directory: string): Promise<Result>;
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Two full collections: the second one takes what finalizers of the first let go. */
export function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

/** @throws Error when what was read back is not what was written */
export function verify(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: read back ${actual} instead of ${expected}`);
}
