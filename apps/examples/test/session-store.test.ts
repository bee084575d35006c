import { ManualClock } from "@leakdb/testkit";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { SessionStore } from "../src/sessions/session-store.js";
import { temporaryFile } from "./temporary-file.js";

interface Session {
  user: string;
  cart: string[];
  since: Date;
}

const IDLE_LIMIT_MS = 60_000;

let clock: ManualClock;
let filename: string;
let store: SessionStore<Session>;

async function open(): Promise<SessionStore<Session>> {
  const opened = await SessionStore.open<Session>({ filename, idleLimitMs: IDLE_LIMIT_MS, clock });
  onTestFinished(() => opened.close());
  return opened;
}

async function restart(): Promise<void> {
  await store.close();
  store = await open();
}

const session = (): Session => ({ user: "ada", cart: ["a lamp"], since: new Date(0) });

/** Lets time pass once nothing is on its way to SQLite: its thread lives in real time, and would miss deadlines. */
async function pass(ms: number): Promise<void> {
  await store.flush();
  await clock.advance(ms);
}

beforeEach(async () => {
  clock = new ManualClock();
  filename = await temporaryFile();
  store = await open();
});

test("a change of what get returned does not reach the store", () => {
  store.set("a", session());
  const got = store.get("a") as Session;
  got.cart.push("never saved");
  got.user = "eve";
  expect(store.get("a")).toEqual(session());
});

test("a change of what set was given does not reach the store", () => {
  const given = session();
  store.set("a", given);
  given.cart.length = 0;
  expect(store.get("a")).toEqual(session());
});

test("what was changed and set again is kept", () => {
  store.set("a", session());
  const got = store.get("a") as Session;
  got.cart.push("a chair");
  store.set("a", got);
  expect(store.get("a")?.cart).toEqual(["a lamp", "a chair"]);
});

test("an unknown session is a miss", () => {
  expect(store.get("a")).toBeUndefined();
  expect(store.touch("a")).toBe(false);
  expect(store.destroy("a")).toBe(false);
});

test("a destroyed session is gone, after a restart as well", async () => {
  store.set("a", session());
  await restart();
  expect(store.destroy("a")).toBe(true);
  expect(store.get("a")).toBeUndefined();
  await restart();
  expect(store.get("a")).toBeUndefined();
});

test("a session survives a restart with its dates", async () => {
  store.set("a", session());
  await restart();
  expect(store.get("a")).toEqual(session());
});

test("a session that is stored is in the file before anything is closed", async () => {
  const version = store.set("a", session());
  const stored = store.stored("a", version);
  await clock.advance(100);
  await stored;
});

test("a session without a request is gone once its time is over", async () => {
  store.set("a", session());
  await pass(IDLE_LIMIT_MS - 1);
  expect(store.get("a")).toBeDefined();
  await pass(1);
  expect(store.get("a")).toBeUndefined();
  expect(store.touch("a")).toBe(false);
});

test("touch rolls the expiry on and leaves the session alone", async () => {
  store.set("a", session());
  for (let minute = 0; minute < 5; minute += 1) {
    await pass(IDLE_LIMIT_MS - 1);
    expect(store.touch("a")).toBe(true);
  }
  expect(store.get("a")).toEqual(session());
});

test("a restart neither lengthens nor shortens a session's time", async () => {
  store.set("a", session());
  await pass(IDLE_LIMIT_MS / 2);
  await restart();
  await pass(IDLE_LIMIT_MS / 2 - 1);
  expect(store.get("a")).toBeDefined();
  await pass(1);
  expect(store.get("a")).toBeUndefined();
});

test("a session that expired while the service was down does not come back", async () => {
  store.set("a", session());
  store.set("b", session());
  await pass(IDLE_LIMIT_MS / 2);
  store.touch("b");
  await store.close();
  await clock.advance(IDLE_LIMIT_MS / 2);
  store = await open();
  expect(store.get("a")).toBeUndefined();
  expect(store.get("b")).toEqual(session());
  expect(store.size).toBe(1);
});
