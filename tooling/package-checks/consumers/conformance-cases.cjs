/** An adapter's author in CommonJS: the kit is required, and one case of it run and one skipped. */

const assert = require("node:assert/strict");
const { conformanceCases, ReferenceBackend, referenceAdapter } = require("@leakdb/testkit");

const cases = conformanceCases({
  name: "reference",
  create: () => {
    const backend = new ReferenceBackend();
    return { adapter: () => referenceAdapter({ backend }), dispose: () => undefined };
  },
});

async function main() {
  const kill = cases.find(({ group, requires }) => group === "crash and reopen" && requires !== undefined);
  const reasons = [];
  await kill.run({ skip: (reason) => reasons.push(reason) });
  assert.match(reasons.join(), /^reference: the fixture can't kill/);
  for (const { group, run } of cases) if (group === "load") await run();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
