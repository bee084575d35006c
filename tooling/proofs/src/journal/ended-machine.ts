/**
 * What a power cut, a full disk and a backend that is down leave of a mutation, on a simulated machine. What a backend
 * without a journal promises of itself is proved with its adapter.
 */

import { DefaultStorage, PersistentQueueStorage, PersistentStorage, QueueStorage } from "@leakdb/core";
import type { FaultyAdapter } from "@leakdb/testkit";
import { bench, stored } from "../faults/opened-store.js";
import { watched } from "../faults/watched-promise.js";
import { Machine, turns } from "./machine.js";
import type { Event, Level, Outcome, StorageName } from "./what-survives.js";

type Storage = DefaultStorage<string> | QueueStorage<string> | PersistentQueueStorage<string>;

/** A storage, with whatever is behind it. */
interface Scene {
  readonly machine: Machine;
  readonly storage: Storage;
  /** The backend, where there is one. */
  readonly faulty: FaultyAdapter | undefined;
  /** What the worker has done, where there is one; it fails while `isDown`. */
  readonly worker: { readonly done: string[]; isDown: boolean };
}

/** A power cut is asked for with a journal alone: without one it leaves what a SIGKILL does, or what the backend promises. */
export async function endMachine(event: Event, storage: StorageName, level: Level): Promise<Outcome> {
  if (storage === "PersistentStorage") return throughDuring(level);
  if (!storage.endsWith("+ journal")) return withoutJournal(event, storage, level);
  const scene = await openScene(new Machine(), storage);
  await reach(scene, level);
  if (event === "power cut") return afterPowerCut(scene, storage, level);
  return event === "full disk" ? onFullDisk(scene, level) : whileDown(scene, level);
}

async function openScene(machine: Machine, storage: StorageName): Promise<Scene> {
  const worker = { done: [] as string[], isDown: false };
  // Nothing goes further by itself before an hour has passed.
  const writeDelay = 3_600_000;
  if (storage.startsWith("Default")) {
    const opened = await machine.openDefault<string>();
    return { machine, worker, faulty: undefined, storage: opened.storage };
  }
  if (storage.startsWith("Persistent")) {
    const { storage: opened, faulty } = await machine.openBehind<string>({ writeDelay });
    return { machine, worker, faulty, storage: opened };
  }
  const workerProcess = ({ key }: { readonly key: string }): boolean =>
    !worker.isDown && worker.done.push(key) > 0;
  const { storage: opened } = await machine.openQueue<string>({ workerProcess, writeDelay });
  return { machine, worker, faulty: undefined, storage: opened };
}

/** Brings a mutation to the level; one at `memory` is still to be made. */
async function reach({ storage }: Scene, level: Level): Promise<void> {
  if (level === "memory") return;
  storage.set(level, level);
  await storage.flush({ level });
}

async function afterPowerCut(scene: Scene, name: StorageName, level: Level): Promise<Outcome> {
  const { machine, storage, worker } = scene;
  if (level === "memory") storage.set(level, level);
  // What the backend has not synced goes too: what the journal holds must make up for it.
  if (level !== "synced") machine.backend.remove(level);
  machine.crash({ unsynced: "dropped" });
  const next = await openScene(machine, name);
  if (!name.startsWith("Queue")) return next.storage.has(level) ? "survives" : "lost";
  await next.storage.flush();
  return outcomeOfItem([...worker.done, ...next.worker.done], level);
}

/** The disk of the journal. */
async function onFullDisk({ machine, storage, faulty, worker }: Scene, level: Level): Promise<Outcome> {
  machine.disk.fail({ operation: "write", code: "ENOSPC", times: Number.POSITIVE_INFINITY });
  storage.set("filling the disk", "");
  if (level === "memory") storage.set(level, level);
  await turns();
  const closing = watched(storage.close());
  await machine.clock.advance(1_000);
  const { unwritten = [] } = (closing.error ?? {}) as { unwritten?: readonly { key: string }[] };
  if (unwritten.some(({ key }) => key === level)) return "given back";
  if (worker.done.length > 0) return outcomeOfItem(worker.done, level);
  if (faulty !== undefined) return level in stored(machine.backend) ? "survives" : "lost";
  machine.disk.heal();
  machine.kill();
  return (await machine.openDefault()).storage.has(level) ? "survives" : "lost";
}

/** The backend, or what the worker works with; then it is back. */
async function whileDown(scene: Scene, level: Level): Promise<Outcome> {
  const { machine, storage, faulty, worker } = scene;
  faulty?.goDown();
  worker.isDown = true;
  if (level === "memory") storage.set(level, level);
  const isThere = (): boolean => worker.done.includes(level) || level in stored(machine.backend);
  const wasThere = isThere();
  const flushing = watched(storage.flush());
  await machine.clock.advance(1_000);
  if (flushing.outcome === "resolved" && !isThere()) return "untouched";
  faulty?.goUp();
  worker.isDown = false;
  await machine.clock.advance(31_000);
  if (!isThere()) return "lost";
  if (!wasThere) return "waits";
  return worker.done.length > 0 ? "done" : "survives";
}

/** A full disk or a backend that is down, without a journal. */
async function withoutJournal(event: Event, name: StorageName, level: Level): Promise<Outcome> {
  const machine = new Machine();
  const { clock } = machine;
  const worker = { done: [] as string[], isDown: false };
  const { faulty } = bench({ backend: machine.backend, clock });
  const workerProcess = ({ key }: { readonly key: string }): boolean =>
    !worker.isDown && worker.done.push(key) > 0;
  const isBehind = name.startsWith("Persistent");
  // Neither of the others has a disk.
  if (event === "full disk" && !isBehind) return "untouched";
  let storage: Storage;
  if (name === "DefaultStorage") storage = new DefaultStorage<string>({ clock });
  else if (name === "QueueStorage") storage = new QueueStorage<string>({ clock, workerProcess });
  else storage = await PersistentQueueStorage.open<string>({ adapter: faulty, clock });
  const scene = { machine, storage, worker, faulty: isBehind ? faulty : undefined };
  await reach(scene, level);
  return whileDown(scene, level);
}

/** A write that was stored before a backend fills up or goes away is there when it is back; while away, writes reject. */
async function throughDuring(level: Level): Promise<Outcome> {
  const { faulty, clock, backend } = bench();
  const storage = await PersistentStorage.open<string>({ adapter: faulty, clock });
  await storage.set(level, level);
  if (level === "synced") await storage.flush({ level });
  faulty.goDown();
  const failing = watched(storage.set("later", "", {}));
  await clock.advance(120_000);
  faulty.goUp();
  await clock.advance(31_000);
  if (failing.outcome === "pending") throw new Error("a write-through neither resolved nor rejected");
  return storage.has(level) && level in stored(backend) ? "survives" : "lost";
}

function outcomeOfItem(done: readonly string[], level: Level): Outcome {
  if (!done.includes(level)) return "lost";
  return level === "stored" ? "done" : "delivered";
}
