/**
 * Ports of the loopback interface that nobody listens on. They lie below the range from which systems take the
 * ports of outgoing connections, so that a server that was killed finds its port free when it starts again.
 *
 *     11000 … 20999   servers and proxies          21000 … 30999   the cluster bus of each, 10,000 above
 *
 * A port is free when asked for and may be gone when used: who starts a server tries again with another.
 */

import { createServer } from "node:net";

const FIRST = 11_000;
const COUNT = 10_000;
const TRIES = 1_000;

/** How far above its port a server of a cluster listens for the others: fixed in servers before version 7. */
const BUS_OFFSET = 10_000;

export const HOST = "127.0.0.1";

/**
 * A port that is free, and so is the one of the cluster bus that belongs to it.
 *
 * @throws Error where a thousand random ones were all taken.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error(`no port is free from ${FIRST} to ${FIRST + COUNT - 1}`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
