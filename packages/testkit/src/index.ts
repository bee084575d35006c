/**
 * The testkit: the adapter contract in executable form, and adapters and a clock for the tests of core. Free of any
 * test runner.
 */

export {
  type CaseContext,
  type ConformanceCase,
  type ConformanceHarness,
  conformanceCases,
  type Fixture,
  type OtherProcess,
  type Outage,
  type Repair,
  type Requirement,
} from "./conformance/index.js";
export {
  type CommonFault,
  drawFaultRates,
  type FaultName,
  type FaultRates,
  type FaultsOf,
  type ScanFault,
  type WriteFault,
} from "./faults.js";
export { FaultyAdapter, type FaultyOptions, faultyAdapter } from "./faulty-adapter.js";
export { Gate, type GateSide, type HeldCall, type HoldOptions } from "./gate.js";
export { ManualClock } from "./manual-clock.js";
export {
  type ProcessAdapter,
  type ProcessAdapterOptions,
  processAdapter,
} from "./process-adapter/process-adapter.js";
export { PromisesOfCore } from "./promises-of-core.js";
export {
  type AdapterOperation,
  describeMutation,
  type RecordedCall,
  RecordingAdapter,
  type RecordingOptions,
  recordingAdapter,
} from "./recording-adapter.js";
export {
  REFERENCE_CAPABILITIES,
  type ReferenceAdapterOptions,
  ReferenceBackend,
  referenceAdapter,
} from "./reference-adapter.js";
export { SeededRandom } from "./seeded-random.js";
export {
  type CrashOptions,
  type DiskFault,
  type DiskHandle,
  type DiskImage,
  type DiskLife,
  type DiskOperation,
  type DiskOperationName,
  SimulatedDisk,
  type SimulatedDiskOptions,
} from "./simulated-disk/index.js";
export { compareUtf8 } from "./utf8-order.js";
