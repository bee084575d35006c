/**
 * What the tests of the adapter packages share, for use below vitest: directories, disks that are full, read-only or
 * failing, open stores, and skipping with a reason. What runs in a process or thread of its own is in `process.ts`.
 */

export { afterThisTest, makeDirectory } from "./after-this-test.js";
export { type ConformancePlace, conformancePlace, writeByte } from "./conformance-place.js";
export { never, type OpenedStore, put, puts } from "./opened-store.js";
export { fillUp, makeReadOnly, mountSmallDisk, type RealDisk } from "./real-disks.js";
export type { Fault, Step } from "./scripted-store.js";
export {
  buildShim,
  type Played,
  playShimmed,
  type Run,
  removeShim,
  runShimmed,
  type Shim,
} from "./shimmed-disk.js";
export { skipWithout } from "./skip-with-reason.js";
export { type StoreKind, type TestedStores, testedStores } from "./tested-stores.js";
