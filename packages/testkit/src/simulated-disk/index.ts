export type { DiskFault, DiskOperation, DiskOperationName } from "./disk-faults.js";
export type { DiskHandle, DiskLife } from "./disk-life.js";
export {
  type CrashOptions,
  type DiskImage,
  SimulatedDisk,
  type SimulatedDiskOptions,
} from "./simulated-disk.js";
