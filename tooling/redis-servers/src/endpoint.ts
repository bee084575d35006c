/** Where a server listens and how to be let in: what a client needs, and one command sent over a new connection. */

import { Redis } from "ioredis";

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 10_000;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The certificate authority to trust, in PEM; with it the connection is one of TLS. */
  readonly ca?: string | undefined;
}

/** `redis://:secret@127.0.0.1:11000`, or `rediss:` with TLS. */
export function urlOf({ host, port, username, password, ca }: Endpoint): string {
  const secret = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
  const user = username === undefined || secret === "" ? "" : encodeURIComponent(username);
  return `${ca === undefined ? "redis" : "rediss"}://${user}${secret}${host}:${port}`;
}

/** Options of ioredis that tell at once when something fails: no second try, no queue while there is no connection. */
function clientOptions(endpoint: Endpoint) {
  const { host, port, username, password, ca } = endpoint;
  return {
    host,
    port,
    // Sentinels before 6.2 know no HELLO.
    protocol: 2 as const,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // One that loads its data is not ready, and says so itself.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  };
}

/**
 * Sends one command over a connection of its own and resolves with the reply.
 *
 * @throws the server's error, or that of the connection.
 */
export async function command(
  endpoint: Endpoint,
  name: string,
  ...args: readonly Argument[]
): Promise<unknown> {
  const client = new Redis(clientOptions(endpoint));
  let failure: Error | undefined;
  client.on("error", (error: Error) => {
    failure = error;
  });
  try {
    await client.connect();
    return await client.call(name, ...args);
  } catch (error) {
    // What broke the connection says more than that it is closed.
    throw failure ?? error;
  } finally {
    client.disconnect();
  }
}

export type Argument = string | number | Buffer;
