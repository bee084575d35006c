import fc from "fast-check";
import { expect, test } from "vitest";
import { writeLists } from "../src/model/command.js";
import { type Answer, DeliveryLog } from "../src/model/delivery.js";
import { ModelRun } from "../src/model/model-run.js";
import { assertProperty } from "../src/model/property-parameters.js";
import { outcomeOf } from "../src/model/settled.js";
import { policies, queueShapes, queueSubject } from "../src/model/subjects.js";

const answers = fc.array(
  fc.constantFrom<Answer[]>("true", "true", "true", "promise", "false", "throw", "nothing", "promise-false"),
  { maxLength: 12 },
);

test("QueueStorage hands each mutation over once it has succeeded, in the order of its key", {
  timeout: 120_000,
}, async () => {
  const drawn = [policies(), queueShapes(), writeLists(), answers, fc.boolean()] as const;
  const property = fc.asyncProperty(...drawn, async (policy, shape, list, given, isBatch) => {
    const log = new DeliveryLog(given);
    const subject = queueSubject(policy, shape, log, isBatch);
    const run = new ModelRun(subject, (write) => log.note(write));
    await run.change(list);
    const flushed = subject.storage.flush();
    let outcome = await outcomeOf(flushed, 8);
    for (let step = 0; step < 1_000 && outcome === undefined; step += 1) {
      await subject.clock.advance(50);
      outcome = await outcomeOf(flushed, 8);
    }
    expect(outcome, "the flush settles").toBeDefined();
    expect("error" in (outcome ?? {}), "the flush says whether something was lost").toBe(
      subject.storage.deadLetters().length > 0,
    );
    log.check(subject.storage);
  });
  await assertProperty(property, 1_000);
});
