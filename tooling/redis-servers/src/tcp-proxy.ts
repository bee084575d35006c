/**
 * A proxy before a server, to let a network fail on command, at an exact byte where needed.
 *
 *     client ──requests──▶ proxy ──▶ server          what is set for a way holds for all connections, those to
 *            ◀──replies───       ◀──                 come included, until `heal()`; what is armed happens once,
 *                                                    on the connection that comes to the place first
 *
 * Listens on 127.0.0.1 and connects to it.
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort, HOST } from "./free-ports.js";
import { ProxyConnection } from "./proxy-connection.js";
import { type Position, ProxyTrigger } from "./proxy-trigger.js";
import type { WayMode } from "./proxy-way.js";

export type Way = "requests" | "replies";

/** How a connection is cut: by RST, which throws away what is under way, or by FIN after it. */
export type Cut = "reset" | "end";

/** What happens to the connection at an armed place. `half-open` as {@link TcpProxy.halfOpen}. */
export type Effect = Cut | "drop-requests" | "drop-replies" | "freeze" | "half-open";

export interface Fault extends Position {
  /** The way in which the place is looked for. */
  readonly on: Way;
  readonly effect: Effect;
}

export interface ProxyCounts {
  /** Connections accepted since the start, and those open now. */
  readonly accepted: number;
  readonly open: number;
  /** Bytes handed on since the start. */
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Bytes thrown away since the start, of both ways. */
  readonly droppedBytes: number;
}

interface Armed {
  readonly fault: Fault;
  readonly fired: () => void;
}

const PORT_TRIES = 10;

export class TcpProxy implements AsyncDisposable {
  readonly host = HOST;
  readonly port: number;
  readonly targetPort: number;
  readonly #connections = new Set<ProxyConnection>();
  readonly #modes: Record<Way, WayMode> = { requests: "pass", replies: "pass" };
  readonly #delaysMs: Record<Way, number> = { requests: 0, replies: 0 };
  readonly #counts = { accepted: 0, requests: 0, replies: 0, dropped: 0 };
  readonly #armed = new Set<Armed>();
  #listener: Server | undefined;

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.targetPort = targetPort;
  }

  /** Resolves when it listens, on a free port. */
  static async start(targetPort: number): Promise<TcpProxy> {
    for (let tries = 1; ; tries++) {
      const proxy = new TcpProxy(await freePort(), targetPort);
      try {
        await proxy.admit();
        return proxy;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || tries === PORT_TRIES) throw error;
      }
    }
  }

  get counts(): ProxyCounts {
    const { accepted, requests, replies, dropped } = this.#counts;
    const open = this.#connections.size;
    return { accepted, open, requestBytes: requests, replyBytes: replies, droppedBytes: dropped };
  }

  /** Keeps every byte of that way, or of both, for `milliseconds`. 0 ends it, for what comes from then on. */
  delay(milliseconds: number, way?: Way): void {
    for (const each of waysOf(way)) this.#delaysMs[each] = milliseconds;
    this.#apply();
  }

  /** Throws away the bytes of that way, or of both. Ends of connections still pass. */
  drop(way?: Way): void {
    this.#setMode("drop", way);
  }

  /** Takes no more bytes of that way, or of both, and loses none: they pass after `heal()`. No end is seen either. */
  freeze(way?: Way): void {
    this.#setMode("freeze", way);
  }

  /** Lets the bytes of both ways pass again, at once, and forgets what is armed. Half-open connections stay so. */
  heal(): void {
    this.#armed.clear();
    for (const connection of this.#connections) connection.heal();
    this.#setMode("pass");
    this.delay(0);
  }

  /**
   * Leaves both sides of the connections that are open now with a peer that is gone without a word: nothing passes, no
   * end either. Connections to come are not concerned.
   */
  halfOpen(): void {
    for (const connection of this.#connections) connection.halfOpen();
  }

  /** Ends the connections that are open now, on both sides. Default: by RST. */
  cut(how: Cut = "reset"): void {
    for (const connection of this.#connections) connection.cut(how);
  }

  /** Refuses new connections (ECONNREFUSED); those that are open stay. Resolves once it does. */
  async refuse(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    // Its callback comes when the last connection is gone; it stops listening at once.
    listener?.close();
  }

  /** Accepts connections again, on the same port. */
  async admit(): Promise<void> {
    if (this.#listener !== undefined) return;
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    listener.listen({ host: HOST, port: this.port });
    await once(listener, "listening");
    this.#listener = listener;
  }

  /**
   * Lets `fault` happen at its place, once, on the connection that comes there first; counted from now. Resolves when
   * it has happened; never, if it does not. Arm before the request is sent.
   *
   * @throws Error where another fault is armed for the same way: one place is looked for at a time.
   *
   * @example
   * // The server applies the SET, and its reply is lost with the connection.
   * const lost = proxy.arm({ on: "replies", bytes: 0, effect: "reset" });
   */
  arm(fault: Fault): Promise<void> {
    if ([...this.#armed].some((each) => each.fault.on === fault.on)) {
      throw new Error(`a fault is armed for the ${fault.on} already; heal() forgets it`);
    }
    return new Promise((resolve) => {
      const armed: Armed = {
        fault,
        fired: () => {
          this.#armed.delete(armed);
          for (const connection of this.#connections) connection.disarm(armed);
          resolve();
        },
      };
      for (const connection of this.#connections) this.#armOn(connection, armed);
      this.#armed.add(armed);
    });
  }

  /** Ends every connection at once and stops listening. */
  async stop(): Promise<void> {
    await this.refuse();
    for (const connection of this.#connections) connection.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #accept(client: Socket): void {
    this.#counts.accepted++;
    const server = connect({ host: HOST, port: this.targetPort, allowHalfOpen: true, noDelay: true });
    const connection = new ProxyConnection(client, server, (way, bytes, isDropped) => {
      this.#counts[isDropped ? "dropped" : way] += bytes;
    });
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    connection.apply(this.#modes, this.#delaysMs);
    for (const armed of this.#armed) this.#armOn(connection, armed);
  }

  #armOn(connection: ProxyConnection, armed: Armed): void {
    const { fault } = armed;
    connection.arm(armed, fault.on, new ProxyTrigger(fault), () => {
      connection.suffer(fault.effect);
      armed.fired();
    });
  }

  #setMode(mode: WayMode, way?: Way): void {
    for (const each of waysOf(way)) this.#modes[each] = mode;
    this.#apply();
  }

  #apply(): void {
    for (const connection of this.#connections) connection.apply(this.#modes, this.#delaysMs);
  }
}

/** A proxy before the server on `targetPort` of this machine. Stop it after use. */
export function startProxy(targetPort: number): Promise<TcpProxy> {
  return TcpProxy.start(targetPort);
}

function waysOf(way: Way | undefined): readonly Way[] {
  return way === undefined ? ["requests", "replies"] : [way];
}
