import fc from "fast-check";
import { test } from "vitest";
import { commandLists } from "../src/model/command.js";
import { ModelRun } from "../src/model/model-run.js";
import { assertProperty } from "../src/model/property-parameters.js";
import { memorySubject, policies } from "../src/model/subjects.js";

test("DefaultStorage does what the model does, whatever it is asked", { timeout: 120_000 }, async () => {
  const commands = commandLists({ isPersistent: false, hasBursts: false });
  const property = fc.asyncProperty(policies(), commands, async (drawn, list) => {
    await new ModelRun(memorySubject(drawn)).run(list);
  });
  await assertProperty(property, 1_000);
});
