/** A crawl of a web in memory: `node apps/examples/dist/crawl-frontier/main.js`. */

import { CrawlFrontier } from "./crawl-frontier.js";
import { FakeWeb, pageUrl } from "./fake-web.js";

const web = FakeWeb.site(2_000, 5, 400);
const frontier = new CrawlFrontier({
  fetchPage: web.fetchPage,
  waitingMax: 500,
  retry: { maxAttempts: 4, backoff: 20 },
});

const startMs = performance.now();
const { fetched, givenUp } = await frontier.crawl([pageUrl(0)]);
const ms = Math.round(performance.now() - startMs);
console.log(`${fetched.length} pages fetched in ${ms} ms, each once, though every page is linked five times`);
console.log("Given up:");
for (const { url, attempts, reason } of givenUp) console.log(`  ${url}  ${reason}, ${attempts} times`);
await frontier.close();
