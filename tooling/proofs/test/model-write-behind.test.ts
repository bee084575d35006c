import fc from "fast-check";
import { test } from "vitest";
import { commandLists } from "../src/model/command.js";
import { ModelRun } from "../src/model/model-run.js";
import { assertProperty } from "../src/model/property-parameters.js";
import { behindSubject, policies, queueShapes } from "../src/model/subjects.js";

test("PersistentQueueStorage does what the model does, and its backend after a flush", {
  timeout: 120_000,
}, async () => {
  const commands = commandLists({ isPersistent: true, hasBursts: false });
  const property = fc.asyncProperty(policies(), queueShapes(), commands, async (drawn, shape, list) => {
    await new ModelRun(behindSubject(drawn, shape)).run(list);
  });
  await assertProperty(property, 1_000);
});
