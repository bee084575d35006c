/**
 * A service as users write one: opens a SQLite store, writes, and does what its first argument says. Run by the tests
 * of processes, with the built packages.
 */

import { closeOnSignal, PersistentQueueStorage, QueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

const [behaviour, filename] = process.argv.slice(2);

/** Keeps the process alive, as a server would. */
function serve() {
  setInterval(() => undefined, 1_000);
}

const SCENES = {
  /** Dirty data waits far longer than the test: only the signal can bring it to the file. */
  async "drain-on-signal"() {
    const storage = await PersistentQueueStorage.open({
      adapter: sqlite({ filename }),
      writeDelay: 3_600_000,
    });
    closeOnSignal(storage);
    for (let index = 0; index < 1_000; index += 1) storage.set(`key ${index}`, index);
    serve();
    console.log("ready");
  },
  async "listeners-taken-back"() {
    const storage = await PersistentQueueStorage.open({
      adapter: sqlite({ filename }),
      writeDelay: 3_600_000,
    });
    closeOnSignal(storage)();
    storage.set("key", 1);
    serve();
    console.log("ready");
  },
  async "incomplete-on-signal"() {
    const storage = new QueueStorage({ workerProcess: () => new Promise(() => undefined) });
    closeOnSignal(storage, { timeout: 200, signals: ["SIGTERM"] });
    storage.set("key", 1);
    serve();
    console.log("ready");
  },
  async "told-of-the-close"() {
    const storage = await PersistentQueueStorage.open({
      adapter: sqlite({ filename }),
      writeDelay: 3_600_000,
    });
    closeOnSignal(storage, { onClosed: (error) => console.log(`closed ${error}`) });
    storage.set("key", 1);
    serve();
    console.log("ready");
  },
  async "mistaken-on-closed"() {
    const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
    const onClosed = () => {
      throw new Error("a mistake of the service");
    };
    closeOnSignal(storage, { onClosed });
    serve();
    console.log("ready");
  },
  /** Nothing is closed: an idle storage must not keep the process, a dirty one must until it is stored. */
  async "ends-by-itself"() {
    const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }), writeDelay: 300 });
    for (let index = 0; index < 100; index += 1) storage.set(`key ${index}`, index, { ttl: 3_600_000 });
    console.log("written");
  },
  async idle() {
    const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
    console.log(`size ${storage.size}`);
  },
  async closed() {
    const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
    storage.set("key", 1);
    await storage.close();
    console.log("closed");
  },
};

await SCENES[behaviour]();
