/**
 * The reference adapter against the suite: the shape of every adapter's own conformance test.
 */

import { describe, test } from "vitest";
import { conformanceCases, faultyAdapter, ReferenceBackend, referenceAdapter } from "../src/index.js";

const cases = conformanceCases({
  name: "reference",
  create: () => {
    const backend = new ReferenceBackend();
    const made: ReturnType<typeof faultyAdapter>[] = [];
    let isAway = false;
    return {
      adapter: () => {
        const adapter = faultyAdapter(referenceAdapter({ backend }));
        if (isAway) adapter.goDown();
        made.push(adapter);
        return adapter;
      },
      kill: () => {
        backend.owner = undefined;
      },
      outage: {
        begin: () => {
          isAway = true;
          for (const adapter of made) adapter.goDown();
        },
        end: () => {
          isAway = false;
          for (const adapter of made) adapter.goUp();
        },
      },
      dispose: () => undefined,
    };
  },
});

describe.each([...new Set(cases.map(({ group }) => group))])("reference: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run);
});
