/**
 * A crawl frontier: what a crawler has found and not fetched yet, on a `QueueStorage`.
 *
 *     seeds ─▶ discover: add, once a URL ─▶ queue ─▶ workerProcess: fetch ─▶ the page's links ─▶ discover
 *                                             ▲           │ a throw: again, after a backoff
 *                                             └───────────┘ too often: a dead letter, "given up" in the report
 *
 * The store is the set of known URLs and the queue of those to fetch in one: `add` says whether a URL is new.
 *
 * Links are discovered faster than pages are fetched. A worker must not wait for room in the queue, since it is the
 * workers who make room; so a page's links wait with their page while `needDrain` is true, and come in at each
 * `drain`.
 */

import { type Clock, isKey, QueueStorage, type RetryOptions } from "@leakdb/core";

export interface Page {
  /** As they stand in the page, relative or not. */
  readonly links: readonly string[];
}

/** Fetches one page. A throw is a failure that may pass: the page is tried again. */
export type FetchPage = (url: string, signal: AbortSignal) => Promise<Page>;

export interface CrawlFrontierOptions {
  fetchPage: FetchPage;
  /** Pages fetched side by side. Default 4. */
  workers?: number;
  /** URLs that may wait before links are held back. Default 10,000. */
  waitingMax?: number;
  retry?: RetryOptions;
  clock?: Clock;
}

export interface GivenUp {
  readonly url: string;
  readonly attempts: number;
  readonly reason: string;
}

export interface CrawlReport {
  readonly fetched: readonly string[];
  readonly givenUp: readonly GivenUp[];
  /** Links that no key can hold, or that lead to no web page. */
  readonly refused: readonly string[];
}

/** What is known of a URL. */
export interface Discovery {
  readonly foundOn: string | undefined;
}

/** Links of one page, and how many of them have been looked at. */
interface Links {
  readonly foundOn: string | undefined;
  readonly links: readonly string[];
  read: number;
}

export class CrawlFrontier {
  readonly #known: QueueStorage<Discovery>;
  readonly #fetched: string[] = [];
  readonly #refused: string[] = [];
  /** Links that have not been looked at, oldest first. */
  readonly #unread: Links[] = [];

  constructor({ fetchPage, workers = 4, waitingMax = 10_000, retry, clock }: CrawlFrontierOptions) {
    this.#known = new QueueStorage<Discovery>({
      workers,
      highWaterMark: waitingMax,
      // Nothing is won by gathering pages.
      writeDelay: 0,
      retry,
      clock,
      workerProcess: async ({ key: url }, { signal }) => {
        const { links } = await fetchPage(url, signal);
        this.#fetched.push(url);
        this.#discover(url, links);
        return true;
      },
    });
    this.#known.on("drain", () => this.#readLinks());
  }

  /** Crawls everything that can be reached from the seeds. */
  async crawl(seeds: readonly string[]): Promise<CrawlReport> {
    this.#discover(undefined, seeds);
    // Links are held back only while something waits.
    await this.#known.idle({ timeout: Infinity });
    const givenUp = this.#known
      .deadLetters()
      .map(({ key, attempts, error }) => ({ url: key, attempts, reason: error.message }));
    return { fetched: [...this.#fetched], givenUp, refused: [...this.#refused] };
  }

  /** What is known of a URL: where it was found first. */
  discovery(url: string): Discovery | undefined {
    return this.#known.get(url);
  }

  /** URLs that wait, are being fetched, or will be tried again. */
  get waiting(): number {
    return this.#known.stats().queue?.waiting ?? 0;
  }

  /** Ends the crawl; what was given up is not tried again. */
  async close(): Promise<void> {
    for (const letter of this.#known.deadLetters()) letter.discard();
    await this.#known.close();
  }

  #discover(foundOn: string | undefined, links: readonly string[]): void {
    this.#unread.push({ foundOn, links, read: 0 });
    this.#readLinks();
  }

  /** Takes links into the queue while there is room. */
  #readLinks(): void {
    while (!this.#known.needDrain) {
      const [first] = this.#unread;
      if (first === undefined) return;
      const link = first.links[first.read];
      first.read += 1;
      if (link === undefined) this.#unread.shift();
      else this.#add(link, first.foundOn);
    }
  }

  #add(link: string, foundOn: string | undefined): void {
    const url = addressOf(link, foundOn);
    if (url === undefined) this.#refused.push(link);
    else this.#known.add(url, { foundOn });
  }
}

/** One spelling for each page, so that it is fetched once: absolute and without the fragment. */
function addressOf(link: string, base: string | undefined): string | undefined {
  if (!URL.canParse(link, base)) return undefined;
  const url = new URL(link, base);
  url.hash = "";
  const isPage = url.protocol === "https:" || url.protocol === "http:";
  return isPage && isKey(url.href) ? url.href : undefined;
}
