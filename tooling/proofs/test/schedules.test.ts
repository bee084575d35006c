import fc from "fast-check";
import { test } from "vitest";
import { assertProperty } from "../src/model/property-parameters.js";
import { schedules } from "../src/schedules/schedule.js";
import { ScheduleRun } from "../src/schedules/schedule-run.js";

test("whatever the backend answers, and whenever, the invariants hold and everything comes right", {
  timeout: 120_000,
}, async () => {
  const property = fc.asyncProperty(schedules(), async (schedule) => {
    const breaches = await new ScheduleRun(schedule).check();
    if (breaches.length > 0) throw new Error(breaches.join("\n"));
  });
  await assertProperty(property, 2_000);
});
