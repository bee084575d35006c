/**
 * The hand-written reference of durable acknowledgements: records are appended to one file, and all that waited share one
 * write, one `fdatasync` and one promise, while the next group gathers in a second buffer.
 *
 *     write ─▶ buffer A ── end of the turn ─▶ fs.write ─▶ fs.fdatasync ─▶ all of A resolve
 *     write ─▶ buffer B ──────────────────────────────────────────────────────┴─▶ …
 */

import { close, fdatasync, openSync, write } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { BenchValue } from "../../records.js";
import { RecordBuffer, readRecords } from "../record-file.js";
import type { AckContestant } from "./ack-contestant.js";
import { Group } from "./group.js";

export async function makeBareAppend(directory: string): Promise<AckContestant> {
  return new BareAppend(join(directory, "records"));
}

class BareAppend implements AckContestant {
  readonly #path: string;
  readonly #descriptor: number;
  #gathering = new RecordBuffer();
  #writing = new RecordBuffer();
  #group = new Group();
  #position = 0;
  #isRunning = false;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "wx");
  }

  write(key: string, value: BenchValue): Promise<void> {
    this.#gathering.add(key, value);
    if (!this.#isRunning) {
      this.#isRunning = true;
      setImmediate(this.#writeGroup);
    }
    return this.#group.promise;
  }

  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    await promisify(close)(this.#descriptor);
    return readRecords(this.#path);
  }

  readonly #writeGroup = (): void => {
    if (this.#gathering.isEmpty) {
      this.#isRunning = false;
      return;
    }
    [this.#gathering, this.#writing] = [this.#writing, this.#gathering];
    const group = this.#group;
    this.#group = new Group();
    const { records } = this.#writing;
    write(this.#descriptor, records, 0, records.length, this.#position, (writeError, bytesWritten) => {
      if (writeError !== null) return group.reject(writeError);
      if (bytesWritten !== records.length)
        return group.reject(new Error("the disk took a part of the group"));
      fdatasync(this.#descriptor, (syncError) => {
        if (syncError !== null) return group.reject(syncError);
        this.#position += records.length;
        this.#writing.reset();
        group.resolve();
        // Those who were let go write again first, and make the next group.
        setImmediate(this.#writeGroup);
      });
    });
  };
}
