/**
 * One connection to one server. It is made once and never again: neither a queue for the time without a connection
 * nor a resend stands below LeakDB's own. Every command has a deadline; one that passes ends the connection, as nobody
 * knows what becomes of what was sent.
 */

import { AdapterError } from "@leakdb/core/adapter";
import { Redis, type RedisOptions } from "ioredis";
import { type Address, addressText, type Settings } from "./options.js";

type Argument = string | number | Buffer;

export class Connection {
  readonly #redis: Redis;
  readonly #name: string;
  /** For messages. */
  readonly address: string;
  #unanswered = 0;
  #fault: Error | undefined;
  #isDestroyed = false;

  private constructor(settings: Settings, name: string, address: Address | undefined) {
    const { connection, commandTimeoutMs, connectTimeoutMs } = settings;
    const options: RedisOptions & { replyMapping: "legacy" } = {
      ...connection,
      ...address,
      ...(settings.natMap.size > 0 && { natMap: Object.fromEntries(settings.natMap) }),
      ...OURS,
      replyMapping: "legacy",
      connectionName: name,
      commandTimeout: commandTimeoutMs,
      connectTimeout: connectTimeoutMs,
    };
    this.#redis = new Redis(options);
    this.#name = name;
    this.address =
      address === undefined ? (connection.path ?? connection.name ?? "the server") : addressText(address);
    this.#redis.on("error", (error: Error) => {
      this.#fault ??= error;
    });
    this.#redis.on("end", () => {
      this.#fault ??= new Error(`the connection to ${this.address} has ended`);
    });
  }

  /** @param address none where the settings know the place. @throws when there is no connection, or `signal` is aborted. */
  static async open(
    settings: Settings,
    name: string,
    address: Address | undefined,
    signal?: AbortSignal,
  ): Promise<Connection> {
    signal?.throwIfAborted();
    const connection = new Connection(settings, name, address);
    const giveUp = (): void => connection.destroy();
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      await connection.#connect(settings.connectTimeoutMs);
      // Such as a database that there is not: ioredis goes on without it.
      if (connection.#fault !== undefined) throw connection.#fault;
      return connection;
    } catch (error) {
      // Before it is ended, which is a fault as well.
      const cause = connection.#fault ?? error;
      connection.destroy();
      signal?.throwIfAborted();
      throw cause;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** False once it has failed: it will never be true again. */
  get isUp(): boolean {
    return this.#fault === undefined && this.#redis.status === "ready";
  }

  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Commands that were sent and may still do something. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Replies are strings. @throws the server's error, or that of the connection. */
  call(command: string, ...args: Argument[]): Promise<unknown> {
    return this.#send(() => this.#redis.call(command, args));
  }

  /** Replies are buffers. */
  callBuffer(command: string, ...args: Argument[]): Promise<unknown> {
    return this.#send(() => this.#redis.callBuffer(command, args));
  }

  async #send(start: () => Promise<unknown>): Promise<unknown> {
    if (!this.isUp) {
      const cause = this.#fault;
      const message = cause?.message ?? "it has ended";
      throw new AdapterError(`no connection to ${this.address}: ${message}`, { kind: "transient", cause });
    }
    this.#unanswered += 1;
    try {
      const reply = await start();
      this.#unanswered -= 1;
      return reply;
    } catch (error) {
      if ((error as Error).name === "ReplyError") this.#unanswered -= 1;
      else this.#fail(error as Error);
      throw error;
    }
  }

  /** Ends it at once. What was sent may still be done. */
  destroy(): void {
    this.#fail(new Error(`the connection to ${this.address} was closed`));
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    // Each time it is told to, ioredis sets another timer and listens to its socket once more.
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#redis.disconnect();
  }

  /** ioredis knows no deadline for its handshake. */
  async #connect(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`${this.address} did not answer within ${timeoutMs} ms`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      await Promise.race([this.#redis.connect(), late]);
      // A wrong password, or none, is an error beside the connection, which is there all the same; so is a name that the
      // user may not give it. Without the name others would take the owner for dead.
      await Promise.race([this.#redis.call("CLIENT", "SETNAME", this.#name), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Retries and queues are core's. */
const OURS: RedisOptions = {
  lazyConnect: true,
  retryStrategy: null,
  reconnectOnError: null,
  sentinelRetryStrategy: () => null,
  sentinelReconnectStrategy: () => null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  // The store's own commands find out what the server is loading, and INFO may be forbidden.
  enableReadyCheck: false,
  maxRetriesPerRequest: null,
  keyPrefix: "",
  readOnly: false,
  monitor: false,
  stringNumbers: false,
};
