import fc from "fast-check";
import { expect, test } from "vitest";
import { SlotLine } from "./slot-line.js";

test("gives slots in the order in which they came, however they are pushed and taken", () => {
  const steps = fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(steps, (counts) => {
      const line = new SlotLine();
      const expected: number[] = [];
      let next = 0;
      for (const count of counts) {
        for (let left = count; left > 0; left -= 1) {
          line.push(next);
          expected.push(next);
          next += 1;
        }
        const taken = Array.from({ length: Math.max(0, -count) }, () => line.take());
        const due = expected.splice(0, taken.length);
        expect(taken).toEqual([...due, ...new Array(taken.length - due.length).fill(-1)]);
        expect(line.length).toBe(expected.length);
      }
    }),
  );
});

test("is empty again after a long backlog", () => {
  const line = new SlotLine();
  for (let slot = 0; slot < 200_000; slot += 1) line.push(slot);
  const slots = Array.from({ length: 200_000 }, () => line.take());
  expect(slots.findIndex((slot, index) => slot !== index)).toBe(-1);
  expect(line.take()).toBe(-1);
  line.push(7);
  expect(line.take()).toBe(7);
});
