/** A web in memory: pages with links, some of which fail a few times, or always. */

import type { Page } from "./crawl-frontier.js";

export interface FakePage {
  readonly links: readonly string[];
  /** How many fetches fail before one succeeds; `Infinity` for a page that never answers. Default 0. */
  readonly failures?: number;
}

export class FakeWeb {
  readonly #pages: ReadonlyMap<string, FakePage>;
  readonly #fetches = new Map<string, number>();

  constructor(pages: Readonly<Record<string, FakePage>>) {
    this.#pages = new Map(Object.entries(pages));
  }

  /** A site of `size` pages; each links to `linksPerPage` others, and every `badEvery`th page has a failure to it. */
  static site(size: number, linksPerPage: number, badEvery: number): FakeWeb {
    const pages: Record<string, FakePage> = {};
    for (let number = 0; number < size; number += 1) {
      const links = Array.from({ length: linksPerPage }, (_, link) =>
        pageUrl((number * linksPerPage + link + 1) % size),
      );
      const isBad = number % badEvery === badEvery - 1;
      const failures = number % (badEvery * 2) === badEvery - 1 ? 2 : Infinity;
      pages[pageUrl(number)] = isBad ? { links, failures } : { links };
    }
    return new FakeWeb(pages);
  }

  /** How often a page was asked for. */
  fetches(url: string): number {
    return this.#fetches.get(url) ?? 0;
  }

  readonly fetchPage = async (url: string): Promise<Page> => {
    const earlier = this.fetches(url);
    this.#fetches.set(url, earlier + 1);
    await Promise.resolve();
    const page = this.#pages.get(url);
    if (page === undefined) throw new Error("no such page");
    if (earlier < (page.failures ?? 0)) throw new Error("the connection was reset");
    return { links: page.links };
  };
}

export function pageUrl(number: number): string {
  return `https://site.example/${number}`;
}
