import { ManualClock } from "@leakdb/testkit";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { RateLimiter } from "../src/rate-limiter/rate-limiter.js";
import { temporaryFile } from "./temporary-file.js";

const LIMIT = 3;
const WINDOW_MS = 60_000;

let clock: ManualClock;
let filename: string;
let limiter: RateLimiter;

async function open(): Promise<RateLimiter> {
  const opened = await RateLimiter.open({ filename, limit: LIMIT, windowMs: WINDOW_MS, clock });
  onTestFinished(() => opened.close());
  return opened;
}

async function restart(): Promise<void> {
  await limiter.close();
  limiter = await open();
}

const allowed = (client: string, requests: number): boolean[] =>
  Array.from({ length: requests }, () => limiter.request(client).isAllowed);

/** Lets time pass once nothing is on its way to SQLite: its thread lives in real time, and would miss deadlines. */
async function pass(ms: number): Promise<void> {
  await limiter.flush();
  await clock.advance(ms);
}

beforeEach(async () => {
  clock = new ManualClock();
  filename = await temporaryFile();
  limiter = await open();
});

test("a client has its limit of requests and not one more", () => {
  expect(allowed("ada", LIMIT + 2)).toEqual([true, true, true, false, false]);
  expect(allowed("bob", 1)).toEqual([true]);
});

test("a decision says what remains and when the window ends", async () => {
  expect(limiter.request("ada")).toEqual({ isAllowed: true, remaining: 2, resetMs: WINDOW_MS });
  await pass(1_000);
  expect(limiter.request("ada")).toEqual({ isAllowed: true, remaining: 1, resetMs: WINDOW_MS - 1_000 });
});

test("the window begins with the first request: later ones, refused ones too, do not lengthen it", async () => {
  allowed("ada", LIMIT);
  await pass(WINDOW_MS - 1);
  expect(limiter.request("ada").isAllowed).toBe(false);
  await pass(1);
  expect(limiter.request("ada")).toEqual({ isAllowed: true, remaining: 2, resetMs: WINDOW_MS });
});

test("a restart does not reset the limit", async () => {
  allowed("ada", LIMIT);
  await pass(WINDOW_MS / 2);
  await restart();
  const { isAllowed, resetMs } = limiter.request("ada");
  expect(isAllowed).toBe(false);
  expect(resetMs).toBe(WINDOW_MS / 2);
  await pass(WINDOW_MS / 2);
  expect(limiter.request("ada").isAllowed).toBe(true);
});

test("a pardoned client begins again, after a restart as well", async () => {
  allowed("ada", LIMIT + 1);
  expect(limiter.pardon("ada")).toBe(true);
  await restart();
  expect(allowed("ada", LIMIT + 1)).toEqual([true, true, true, false]);
});

test("thousands of clients are counted apart, and over a restart", async () => {
  const clients = Array.from({ length: 5_000 }, (_, number) => `client ${number}`);
  for (let round = 0; round < LIMIT; round += 1) {
    for (const client of clients) expect(limiter.request(client).isAllowed).toBe(true);
  }
  await restart();
  expect(limiter.clients).toBe(clients.length);
  for (const client of clients) expect(limiter.request(client).isAllowed).toBe(false);
});

test("a client's requests between two batches cost one write", async () => {
  allowed("ada", 1_000);
  await limiter.flush();
  expect(limiter.writes).toEqual({ stored: 1, spared: 999 });
});
