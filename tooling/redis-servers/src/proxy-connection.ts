/**
 * One connection through a proxy: two sockets and the two ways between them. It follows what its proxy sets for all,
 * unless something happened to it alone; being half-open, or cut, is for good.
 */

import type { Socket } from "node:net";
import type { ProxyTrigger } from "./proxy-trigger.js";
import { ProxyWay, type WayMode } from "./proxy-way.js";
import type { Cut, Effect, Way } from "./tcp-proxy.js";

const WAYS: readonly Way[] = ["requests", "replies"];

export class ProxyConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #ways: Readonly<Record<Way, ProxyWay>>;
  /** Who armed the way. */
  readonly #armedBy: Partial<Record<Way, unknown>> = {};
  /** What happened to this connection alone. */
  #own: Partial<Record<Way, WayMode>> = {};
  #isLost = false;

  constructor(client: Socket, server: Socket, count: (way: Way, bytes: number, isDropped: boolean) => void) {
    this.#client = client;
    this.#server = server;
    this.#ways = {
      requests: new ProxyWay(client, server, (...bytes) => count("requests", ...bytes)),
      replies: new ProxyWay(server, client, (...bytes) => count("replies", ...bytes)),
    };
    // One that broke, or never came about, is told to the other side as it was told to us.
    client.on("close", (hadError) => {
      if (hadError && !this.#isLost) server.resetAndDestroy();
    });
    server.on("close", (hadError) => {
      if (hadError && !this.#isLost) client.resetAndDestroy();
    });
  }

  /** Calls `done` once both sockets are closed. */
  onClose(done: () => void): void {
    let open = 2;
    for (const socket of [this.#client, this.#server]) {
      socket.once("close", () => {
        open--;
        if (open === 0) done();
      });
    }
  }

  apply(modes: Readonly<Record<Way, WayMode>>, delaysMs: Readonly<Record<Way, number>>): void {
    for (const way of WAYS) {
      this.#ways[way].delayMs = delaysMs[way];
      if (!this.#isLost) this.#ways[way].mode = this.#own[way] ?? modes[way];
    }
  }

  /** Forgets what happened to it alone; the proxy applies what it has for all. */
  heal(): void {
    this.#own = {};
    for (const way of WAYS) this.disarm(this.#armedBy[way]);
  }

  arm(owner: unknown, way: Way, trigger: ProxyTrigger, fire: () => void): void {
    this.#armedBy[way] = owner;
    this.#ways[way].armed = { trigger, fire };
  }

  disarm(owner: unknown): void {
    for (const way of WAYS) {
      if (this.#armedBy[way] !== owner) continue;
      this.#armedBy[way] = undefined;
      this.#ways[way].armed = undefined;
    }
  }

  suffer(effect: Effect): void {
    if (effect === "reset" || effect === "end") this.cut(effect);
    else if (effect === "half-open") this.halfOpen();
    else if (effect === "freeze") this.#setOwn("freeze", WAYS);
    else this.#setOwn("drop", effect === "drop-requests" ? ["requests"] : ["replies"]);
  }

  halfOpen(): void {
    this.#lose();
  }

  /**
   * The server is told by FIN in both cases: a RST could overtake what was handed on to it, and whether that still
   * counts would be left to chance. The client gets what was asked for.
   */
  cut(how: Cut): void {
    this.#lose();
    this.#server.end();
    if (how === "reset") this.#client.resetAndDestroy();
    else this.#client.end();
  }

  /** Ends both sockets at once, whatever their peers do. */
  destroy(): void {
    this.#lose();
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  /** From now on nothing passes, no end either; bytes are read and thrown away. */
  #lose(): void {
    this.#isLost = true;
    for (const way of WAYS) {
      this.#ways[way].passesEnd = false;
      this.#ways[way].mode = "drop";
    }
  }

  #setOwn(mode: WayMode, ways: readonly Way[]): void {
    for (const way of ways) {
      this.#own[way] = mode;
      this.#ways[way].mode = mode;
    }
  }
}
