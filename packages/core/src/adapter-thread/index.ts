/**
 * One shared host for adapters over a blocking or fragile client: the adapter runs on a worker thread of its own,
 * and a crash of that thread is a transient error. Import it from `@leakdb/core/adapter-thread`.
 *
 * ```
 * main thread                                   the adapter's thread
 * threadAdapter ── packed batch (transferred) ──▶ serveAdapter ── Mutation[] ──▶ Adapter.write
 *               ◀── result, and the buffer back ──
 *               ◀── packed pages, read ahead ────                 ◀── Adapter.scan
 *               ◀── timers, reports ─────────────                     its context
 * ```
 */

export { serveAdapter } from "./serve-adapter.js";
export {
  killThread,
  type ThreadAdapter,
  type ThreadAdapterOptions,
  threadAdapter,
} from "./thread-adapter.js";
