/** What the measurements behind the adapters' settings share: records to write, and the adapter's own times. */

export {
  ADAPTER_BATCH,
  BenchRecords,
  FIRST_VERSION,
  perSecond,
  withBenchDirectory,
} from "./bench-records.js";
export { benchContext, measureAdapterOpen, writeByAdapter } from "./measured-adapter.js";
