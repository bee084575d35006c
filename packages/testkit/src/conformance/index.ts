/**
 * The conformance suite: `@leakdb/core/adapter` in executable form. An adapter that passes every case it doesn't
 * skip by a declared capability keeps the contract as far as calls from outside can show.
 *
 * The list below is its table of contents. Each group is a file of that name, but for hostile keys and values, which
 * are two, and parts of write and faults.
 */

import { abort } from "./abort.js";
import { clear } from "./clear.js";
import {
  bindCase,
  type CaseGroup,
  type ConformanceCase,
  type ConformanceHarness,
} from "./conformance-case.js";
import { crash } from "./crash.js";
import { damage } from "./damage.js";
import { expiry } from "./expiry.js";
import { faults } from "./faults.js";
import { histories } from "./histories.js";
import { hostileKeys } from "./hostile-keys.js";
import { hostileValues } from "./hostile-values.js";
import { lanes } from "./lanes.js";
import { load } from "./load.js";
import { openAndClose } from "./open-and-close.js";
import { order } from "./order.js";
import { ownership } from "./ownership.js";
import { scan } from "./scan.js";
import { sizes } from "./sizes.js";
import { statistics } from "./statistics.js";
import { versions } from "./versions.js";
import { write } from "./write.js";

const hostile: CaseGroup = {
  group: "hostile keys and values",
  cases: [...hostileKeys, ...hostileValues],
};

const GROUPS: readonly CaseGroup[] = [
  openAndClose,
  write,
  load,
  scan,
  order,
  versions,
  clear,
  expiry,
  sizes,
  hostile,
  abort,
  lanes,
  faults,
  crash,
  damage,
  histories,
  ownership,
  statistics,
];

/** Every case of the suite, bound to an adapter, in the order of the groups. Making the list runs nothing. */
export function conformanceCases(harness: ConformanceHarness): ConformanceCase[] {
  return GROUPS.flatMap(({ group, cases }) =>
    cases.map((definition) => bindCase(group, definition, harness)),
  );
}

export type {
  CaseContext,
  ConformanceCase,
  ConformanceHarness,
  Fixture,
  OtherProcess,
  Outage,
  Repair,
  Requirement,
} from "./conformance-case.js";
