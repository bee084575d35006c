import { ManualClock } from "@leakdb/testkit";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import {
  CrawlFrontier,
  type CrawlFrontierOptions,
  type CrawlReport,
  type FetchPage,
} from "../src/crawl-frontier/crawl-frontier.js";
import { type FakePage, FakeWeb } from "../src/crawl-frontier/fake-web.js";

const ROOT = "https://a.example/";

let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

function frontierOver(fetchPage: FetchPage, options: Partial<CrawlFrontierOptions> = {}): CrawlFrontier {
  const frontier = new CrawlFrontier({
    fetchPage,
    clock,
    retry: { maxAttempts: 3, backoff: 1_000, maxBackoff: 1_000 },
    ...options,
  });
  onTestFinished(() => frontier.close());
  return frontier;
}

/** Crawls from the root, and lets time pass until the crawl is over. */
async function crawled(frontier: CrawlFrontier): Promise<CrawlReport> {
  let isOver = false;
  const report = frontier.crawl([ROOT]).finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.advanceToNextTimer();
  return report;
}

async function crawlOf(pages: Record<string, FakePage>): Promise<{ report: CrawlReport; web: FakeWeb }> {
  const web = new FakeWeb(pages);
  return { report: await crawled(frontierOver(web.fetchPage)), web };
}

test("everything that can be reached is fetched, each page once", async () => {
  const { report, web } = await crawlOf({
    [ROOT]: { links: ["/b", "/c", "/b#part", `${ROOT}b`] },
    [`${ROOT}b`]: { links: [ROOT, "c", "/d"] },
    [`${ROOT}c`]: { links: ["/b"] },
    [`${ROOT}d`]: { links: [] },
    [`${ROOT}nobody-links-here`]: { links: [] },
  });
  const reached = [ROOT, `${ROOT}b`, `${ROOT}c`, `${ROOT}d`];
  expect([...report.fetched].sort()).toEqual(reached);
  expect(reached.map((url) => web.fetches(url))).toEqual([1, 1, 1, 1]);
  expect(report.givenUp).toEqual([]);
});

test("a page that fails is tried again after a backoff, and its links are followed then", async () => {
  const startMs = clock.now();
  const { report, web } = await crawlOf({
    [ROOT]: { links: ["/b"], failures: 2 },
    [`${ROOT}b`]: { links: [] },
  });
  expect(report.fetched).toEqual([ROOT, `${ROOT}b`]);
  expect(web.fetches(ROOT)).toBe(3);
  // Twice the backoff of a second, less its jitter.
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(1_000);
});

test("a page that fails too often is given up, with the reason, and holds up nothing else", async () => {
  const { report, web } = await crawlOf({
    [ROOT]: { links: ["/down", "/b"] },
    [`${ROOT}down`]: { links: [], failures: Infinity },
    [`${ROOT}b`]: { links: ["/missing"] },
  });
  expect(report.fetched).toEqual([ROOT, `${ROOT}b`]);
  expect([...report.givenUp].sort((a, b) => (a.url < b.url ? -1 : 1))).toEqual([
    { url: `${ROOT}down`, attempts: 3, reason: "the connection was reset" },
    { url: `${ROOT}missing`, attempts: 3, reason: "no such page" },
  ]);
  expect(web.fetches(`${ROOT}down`)).toBe(3);
});

test("links are held back while the queue is full, and none is lost", async () => {
  const waitingMax = 10;
  const links = Array.from({ length: 500 }, (_, number) => `/${number}`);
  const pages = Object.fromEntries(links.map((link) => [new URL(link, ROOT).href, { links }]));
  const web = new FakeWeb({ ...pages, [ROOT]: { links } });
  let waitingSeen = 0;
  const frontier = frontierOver(
    async (url) => {
      waitingSeen = Math.max(waitingSeen, frontier.waiting);
      return web.fetchPage(url);
    },
    { waitingMax },
  );
  const { fetched } = await crawled(frontier);
  expect(fetched).toHaveLength(links.length + 1);
  // The link that crosses the mark is the last one let in.
  expect(waitingSeen).toBe(waitingMax + 1);
});

test("a link that no key can hold, or that is no page, is refused and named", async () => {
  const long = `/${"x".repeat(2_000)}`;
  const { report } = await crawlOf({ [ROOT]: { links: [long, "mailto:ada@a.example", "http://"] } });
  expect(report.fetched).toEqual([ROOT]);
  expect(report.refused).toEqual([long, "mailto:ada@a.example", "http://"]);
  expect(report.givenUp).toEqual([]);
});

test("it is known where a page was found first", async () => {
  const web = new FakeWeb({ [ROOT]: { links: ["/b"] }, [`${ROOT}b`]: { links: [ROOT] } });
  const frontier = frontierOver(web.fetchPage);
  await crawled(frontier);
  expect(frontier.discovery(ROOT)).toEqual({ foundOn: undefined });
  expect(frontier.discovery(`${ROOT}b`)).toEqual({ foundOn: ROOT });
});

test("as many pages are fetched side by side as there are workers", async () => {
  const links = Array.from({ length: 100 }, (_, number) => `/${number}`);
  const pages = Object.fromEntries(links.map((link) => [new URL(link, ROOT).href, { links: [] }]));
  const web = new FakeWeb({ ...pages, [ROOT]: { links } });
  let underWay = 0;
  let mostUnderWay = 0;
  const fetchPage: FetchPage = async (url) => {
    underWay += 1;
    mostUnderWay = Math.max(mostUnderWay, underWay);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
    underWay -= 1;
    return web.fetchPage(url);
  };
  const { fetched } = await crawled(frontierOver(fetchPage, { workers: 4 }));
  expect(fetched).toHaveLength(101);
  expect(mostUnderWay).toBe(4);
});
