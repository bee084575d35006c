/** An adapter whose work is done in a process of its own, so that `kill -9` can be tried on it for real. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { files } from "../src/files-adapter/files-adapter.js";

const SCRIPT = fileURLToPath(new URL("./files-process.mjs", import.meta.url));

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: Pick<AdapterError, "message" | "kind" | "code">;
}

export class AdapterInProcess implements Adapter {
  readonly name: string;
  readonly capabilities: Adapter["capabilities"];
  readonly #directory: string;
  readonly #execArgv: readonly string[];
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #process: ChildProcess | undefined;
  #lastId = 0;

  /** `execArgv` goes to Node itself. */
  constructor(directory: string, execArgv: readonly string[] = []) {
    this.#execArgv = execArgv;
    ({ name: this.name, capabilities: this.capabilities } = files({ directory }));
    this.#directory = directory;
  }

  async open({ signal }: AdapterContext): Promise<AdapterState> {
    await this.#end();
    this.#process = fork(SCRIPT, [this.#directory], {
      serialization: "advanced",
      execArgv: [...this.#execArgv],
    });
    this.#process.on("message", (answer: Answer) => this.#settle(answer));
    this.#process.on("exit", () => this.#failAll());
    try {
      return (await this.#call("open", undefined, signal)) as AdapterState;
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async write(
    batch: readonly Mutation[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WriteResult> {
    return (await this.#call("write", batch, signal)) as WriteResult;
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return (await this.#call("load", keys)) as (StoredRecord | undefined)[];
  }

  async *scan(range: {
    readonly prefix?: string;
    readonly after?: string;
  }): AsyncGenerator<readonly StoredRecord[]> {
    yield* (await this.#call("scan", range)) as StoredRecord[][];
  }

  async sync(): Promise<void> {
    await this.#call("sync");
  }

  async close(): Promise<void> {
    if (this.#process === undefined) return;
    await this.#call("close");
    await this.#end();
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const killed = this.#process;
    if (killed === undefined) return;
    const exit = once(killed, "exit");
    killed.kill("SIGKILL");
    await exit;
    this.#process = undefined;
  }

  /** Ends the process of an adapter that is closed. */
  async #end(): Promise<void> {
    const ended = this.#process;
    this.#process = undefined;
    if (ended === undefined || ended.exitCode !== null) return;
    const exit = once(ended, "exit");
    ended.disconnect();
    await exit;
  }

  #call(call: string, argument?: unknown, signal?: AbortSignal): Promise<unknown> {
    const owner = this.#process;
    if (owner?.connected !== true) throw new AdapterError("the process is gone", { kind: "transient" });
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      owner.send({ id, call, argument });
      signal?.addEventListener("abort", () => owner.connected && owner.send({ id, call: "abort" }));
      if (signal?.aborted === true) owner.send({ id, call: "abort" });
    });
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else
      waiting?.reject(
        new AdapterError(error.message, { kind: error.kind, ...(error.code && { code: error.code }) }),
      );
  }

  #failAll(): void {
    const error = new AdapterError("the process has ended", { kind: "ambiguous" });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
