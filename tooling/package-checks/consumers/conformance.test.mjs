/** An adapter's author with nothing but npm and Node: the whole kit, by `node --test`, over the reference adapter. */

import { test } from "node:test";
import { conformanceCases, ReferenceBackend, referenceAdapter } from "@leakdb/testkit";

const cases = conformanceCases({
  name: "reference",
  create: () => {
    const backend = new ReferenceBackend();
    return {
      adapter: () => referenceAdapter({ backend }),
      kill: () => {
        backend.owner = undefined;
      },
      dispose: () => undefined,
    };
  },
});
for (const { group, name, run } of cases) test(`${group}: ${name}`, run);
