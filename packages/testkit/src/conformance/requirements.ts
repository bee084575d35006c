/**
 * Every reason for which a conformance case may be skipped, in one list.
 */

import type { Requirement } from "./conformance-case.js";

export const needsOrder: Requirement = {
  reason: "scans in no particular order (capabilities.ordered is false)",
  met: ({ ordered }) => ordered,
};

export const needsTwoLanes: Requirement = {
  reason: "takes one write at a time (capabilities.lanesMax is 1)",
  met: ({ lanesMax }) => lanesMax >= 2,
};

export const needsAtomicBatch: Requirement = {
  reason: "applies batches in parts (capabilities.atomicBatch is false)",
  met: ({ atomicBatch }) => atomicBatch,
};

export const needsSynced: Requirement = {
  reason: "doesn't promise to reach its disk (capabilities.levels lacks synced)",
  met: ({ levels }) => levels.includes("synced"),
};

export const needsValueLimit: Requirement = {
  reason: "has no limit of value size near enough to try (capabilities.maxValueBytes)",
  met: ({ maxValueBytes }) => maxValueBytes <= 16 * 1024 * 1024,
};

export const needsKill: Requirement = {
  reason: "the fixture can't kill an adapter (fixture.kill)",
  met: (_capabilities, _harness, fixture) => fixture.kill !== undefined,
};

export const needsAtomicBatchAndKill: Requirement = {
  reason:
    "applies batches in parts (capabilities.atomicBatch is false), or the fixture can't kill (fixture.kill)",
  met: ({ atomicBatch }, _harness, fixture) => atomicBatch && fixture.kill !== undefined,
};

export const needsSyncedAndKill: Requirement = {
  reason: "doesn't promise to reach its disk (capabilities.levels), or the fixture can't kill (fixture.kill)",
  met: ({ levels }, _harness, fixture) => levels.includes("synced") && fixture.kill !== undefined,
};

export const needsProcess: Requirement = {
  reason: "the fixture has no adapter in a process of its own (fixture.process)",
  met: (_capabilities, _harness, fixture) => fixture.process !== undefined,
};

export const needsAtomicBatchAndProcess: Requirement = {
  reason:
    "applies batches in parts (capabilities.atomicBatch is false), or the fixture has no processes (fixture.process)",
  met: ({ atomicBatch }, _harness, fixture) => atomicBatch && fixture.process !== undefined,
};

export const needsLockAndProcess: Requirement = {
  reason: "a second owner takes over (harness.ownership), or the fixture has no processes (fixture.process)",
  met: (_capabilities, { ownership = "locks" }, fixture) =>
    ownership === "locks" && fixture.process !== undefined,
};

export const needsFenceAndProcess: Requirement = {
  reason: "a second owner is refused (harness.ownership), or the fixture has no processes (fixture.process)",
  met: (_capabilities, { ownership = "locks" }, fixture) =>
    ownership === "fences" && fixture.process !== undefined,
};

export const needsOutage: Requirement = {
  reason: "the fixture can't take the backend away (fixture.outage)",
  met: (_capabilities, _harness, fixture) => fixture.outage !== undefined,
};

export const needsDamage: Requirement = {
  reason: "the fixture can't damage the data (fixture.damage)",
  met: (_capabilities, _harness, fixture) => fixture.damage !== undefined,
};

export const needsFailingWrites: Requirement = {
  reason: "the fixture can't make writes fail (fixture.failWrites)",
  met: (_capabilities, _harness, fixture) => fixture.failWrites !== undefined,
};

export const needsAtomicBatchAndFailingWrites: Requirement = {
  reason:
    "applies batches in parts (capabilities.atomicBatch is false), or the fixture can't make writes fail (fixture.failWrites)",
  met: ({ atomicBatch }, _harness, fixture) => atomicBatch && fixture.failWrites !== undefined,
};

export const needsRejection: Requirement = {
  reason: "the fixture knows no mutation that the backend refuses for good (fixture.rejectedMutation)",
  met: (_capabilities, _harness, fixture) => fixture.rejectedMutation !== undefined,
};

export const needsBackgroundFailure: Requirement = {
  reason: "the fixture can't make anything fail that no call waits for (fixture.failInBackground)",
  met: (_capabilities, _harness, fixture) => fixture.failInBackground !== undefined,
};

export const needsLock: Requirement = {
  reason: 'a second owner takes over (harness.ownership is "fences")',
  met: (_capabilities, { ownership = "locks" }) => ownership === "locks",
};

export const needsFence: Requirement = {
  reason: 'a second owner is refused (harness.ownership is "locks")',
  met: (_capabilities, { ownership = "locks" }) => ownership === "fences",
};
