/**
 * What a storage tells its listeners. None of the events is called `error`, so none ends a process that does not
 * listen. A listener that throws does not disturb the storage: its error is thrown again by itself, as uncaught.
 */

import { EventEmitter } from "node:events";
import type { DeadLetter } from "../reports.js";

export interface StorageEvents {
  /** Fewer keys wait than the high-water mark again. */
  drain: [];
  /** Nothing waits any more: everything up to `version` has been stored or is a dead letter. */
  flush: [{ version: number }];
  /** Something failed and is tried again after `delayMs`. */
  retry: [{ error: Error; items: number; delayMs: number }];
  deadLetter: [DeadLetter];
  /** A failure behind the scenes: a lost connection, a failed reopening, an answer too late. */
  fault: [Error];
  close: [];
}

const EVENT_NAMES: ReadonlySet<string> = new Set<keyof StorageEvents>([
  ...(["drain", "flush", "retry", "deadLetter", "fault", "close"] as const),
]);

export type StorageListener<Name extends keyof StorageEvents> = (...args: StorageEvents[Name]) => void;

export class Events {
  readonly #emitter = new EventEmitter();

  /** @throws TypeError for an event that does not exist, and would be waited for in vain */
  on<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): void {
    checkName(name);
    this.#emitter.on(name, listener as (...args: unknown[]) => void);
  }

  /** @throws as `on` */
  once<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): void {
    checkName(name);
    this.#emitter.once(name, listener as (...args: unknown[]) => void);
  }

  off<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): void {
    this.#emitter.off(name, listener as (...args: unknown[]) => void);
  }

  emit<Name extends keyof StorageEvents>(name: Name, ...args: StorageEvents[Name]): void {
    // Each by itself, so that none keeps the others from hearing.
    for (const listener of this.#emitter.rawListeners(name)) {
      try {
        listener.apply(this.#emitter, args);
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}

function checkName(name: string): void {
  if (!EVENT_NAMES.has(name))
    throw new TypeError(`there is no event ${JSON.stringify(name)}, only ${[...EVENT_NAMES].join(", ")}`);
}
