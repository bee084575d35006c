/** A rate limiter under load: `node apps/examples/dist/rate-limiter/main.js`. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { withTemporaryFile } from "../temporary-file.js";
import { RateLimiter } from "./rate-limiter.js";

const CLIENTS = 5_000;
const REQUESTS = 200_000;
const REQUESTS_PER_TURN = 100;

function address(number: number): string {
  return `10.0.${number >> 8}.${number & 255}`;
}

await withTemporaryFile(async (filename) => {
  const options = { filename, limit: 50, windowMs: 60_000 };
  let limiter = await RateLimiter.open(options);

  let refused = 0;
  const startMs = performance.now();
  for (let request = 0; request < REQUESTS; request += 1) {
    // Few clients ask often, most ask seldom.
    const client = address(Math.floor(CLIENTS * Math.random() ** 2));
    if (!limiter.request(client).isAllowed) refused += 1;
    if (request % REQUESTS_PER_TURN === 0) await nextTurn();
  }
  const ms = performance.now() - startMs;
  const perSecond = Math.round((REQUESTS / ms) * 1_000).toLocaleString("en");
  console.log(
    `${REQUESTS} requests of ${limiter.clients} clients: ${refused} refused, ${perSecond} decisions a second`,
  );

  await limiter.flush();
  const { stored, spared } = limiter.writes;
  console.log(
    `SQLite took ${stored} writes for them; ${spared} more were spared, their counters being on the way`,
  );

  const before = limiter.request(address(0));
  await limiter.close();
  limiter = await RateLimiter.open(options);
  const after = limiter.request(address(0));
  console.log("The busiest client before a restart:", before);
  console.log("                     and after it:  ", after);
  await limiter.close();
});
