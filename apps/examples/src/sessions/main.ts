/** Sessions, step by step: `node apps/examples/dist/sessions/main.js`. */

import { setTimeout as pause } from "node:timers/promises";
import { withTemporaryFile } from "../temporary-file.js";
import { SessionStore } from "./session-store.js";

interface Session {
  user: string;
  cart: string[];
}

await withTemporaryFile(async (filename) => {
  const options = { filename, idleLimitMs: 1_000 };
  let store = await SessionStore.open<Session>(options);

  const version = store.set("a1", { user: "ada", cart: [] });
  store.set("b2", { user: "bob", cart: [] });
  await store.stored("a1", version);
  console.log("Two logins; ada's is in SQLite already.");

  store.get("a1")?.cart.push("a book that was never saved");
  console.log("What ada's cart holds after somebody changed a copy:", store.get("a1")?.cart);

  store.set("a1", { user: "ada", cart: ["a lamp"] });
  await store.close();
  store = await SessionStore.open<Session>(options);
  console.log("After a restart:", store.get("a1"));

  await pause(600);
  store.touch("a1");
  await pause(600);
  console.log(
    "A little over a second later ada, who came back meanwhile, is there:",
    store.get("a1") !== undefined,
  );
  console.log("And bob, who did not, is not:", store.get("b2"));
  await store.close();
});
