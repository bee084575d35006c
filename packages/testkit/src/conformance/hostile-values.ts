/**
 * Conformance: hostile values. Any bytes are a value, and come back as they are.
 */

import type { CaseDefinition } from "./conformance-case.js";
import { put } from "./mutations.js";

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

export const hostileValues: readonly CaseDefinition[] = [
  {
    name: "all 256 bytes come back, in both directions, alone and together",
    body: async (run) => {
      const store = await run.open();
      const alone = [...everyByte].map((byte) => put(`byte ${byte}`, new Uint8Array([byte]), byte + 1));
      const together = [put("up", everyByte, 1_000), put("down", everyByte.slice().reverse(), 1_001)];
      await store.write(...alone, ...together);
      await store.mustHold([...alone, ...together], "values of all bytes");
    },
  },
  {
    name: "values that look like text, literals or nothing come back as their bytes",
    body: async (run) => {
      const first = await run.open();
      const texts = [
        "",
        "\0",
        "a\0",
        "\0a",
        "null",
        "undefined",
        "0",
        "1.0",
        "true",
        "{}",
        "[object Object]",
        " ",
        "\n",
      ];
      const puts = texts.map((text, index) => put(`text ${index}`, text, index + 1));
      await first.write(...puts);
      await first.mustHold(puts, "values that look like something else");
      const second = await run.reopen(first);
      await second.mustHold(puts, "the same after a reopening");
    },
  },
  {
    name: "values that are no valid UTF-8 come back as their bytes",
    body: async (run) => {
      const store = await run.open();
      const broken = [
        [0xff],
        [0xfe, 0xff],
        [0xc0, 0x80],
        [0xed, 0xa0, 0x80],
        [0xf5],
        [0xe2, 0x82],
        [0xef, 0xbb, 0xbf],
      ];
      const puts = broken.map((bytes, index) => put(`broken ${index}`, new Uint8Array(bytes), index + 1));
      await store.write(...puts);
      await store.mustHold(puts, "values that are no valid UTF-8");
    },
  },
];
