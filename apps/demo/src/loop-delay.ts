/**
 * How late the event loop runs: what anybody else's request would have waited.
 *
 * The histogram of `perf_hooks` counts the interval of its own timer, so an idle loop does not read 0. The idle
 * median is measured first and taken away from every figure.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class LoopDelayMeter {
  /** What the histogram read while nothing happened, nothing taken away. */
  readonly idle: LoopDelay;

  private constructor(idle: LoopDelay) {
    this.idle = idle;
  }

  /** Watches the idle loop for a moment. */
  static async calibrate(durationMs: number, signal?: AbortSignal): Promise<LoopDelayMeter> {
    const stop = watch();
    await pause(durationMs, undefined, signal === undefined ? {} : { signal });
    return new LoopDelayMeter(stop());
  }

  /** Measures until the returned function is called, which gives the delay beyond the idle loop's. */
  start(): () => LoopDelay {
    const stop = watch();
    return () => {
      const { p50Ms, p99Ms, maxMs } = stop();
      const beyondIdle = (ms: number): number => Math.max(0, ms - this.idle.p50Ms);
      return { p50Ms: beyondIdle(p50Ms), p99Ms: beyondIdle(p99Ms), maxMs: beyondIdle(maxMs) };
    };
  }
}

function watch(): () => LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return () => {
    histogram.disable();
    // Nanoseconds.
    return {
      p50Ms: histogram.percentile(50) / 1e6,
      p99Ms: histogram.percentile(99) / 1e6,
      maxMs: histogram.max / 1e6,
    };
  };
}
