/** A standalone server that somebody else runs: tests may use it, and can't end or configure it. */

import { command, type Endpoint, urlOf } from "./endpoint.js";
import { type RunningServer, whyNotOurs } from "./found-server.js";
import type { RedisServer } from "./redis-server.js";
import { isWanted, readInfo, type WantedVersion } from "./server-version.js";

/**
 * Asks the server at `url` what it is.
 *
 * @throws Error where nobody answers there, or it is not the version that was asked for.
 */
export async function runningServer(
  url: string,
  variable: string,
  version: WantedVersion | undefined,
): Promise<RunningServer> {
  const info = await command(endpointOf(url), "INFO", "server").catch((error: unknown) => {
    throw new Error(`${variable}: no server answers at that URL`, { cause: error });
  });
  const found = readInfo(String(info));
  if (found === undefined) throw new Error(`${variable}: what answers at that URL is no Redis`);
  if (!isWanted(found, version)) {
    const is = `${found.flavour} ${found.version}`;
    throw new Error(
      `${variable}: the server is ${is}, and ${version ?? "a Redis from 6.2 on"} was asked for`,
    );
  }
  return { kind: "running", ...found, url, origin: variable };
}

/** The handle of such a server. What would end it rejects with the reason. */
export function borrowedServer(server: RunningServer): RedisServer {
  const endpoint = endpointOf(server.url);
  const refuse = (): Promise<never> => Promise.reject(new Error(whyNotOurs(server)));
  const leave = (): Promise<void> => Promise.resolve();
  return {
    host: endpoint.host,
    port: endpoint.port,
    url: urlOf(endpoint),
    ca: undefined,
    pid: undefined,
    whyNotOurs: whyNotOurs(server),
    command: (name, ...args) => command(endpoint, name, ...args),
    kill: refuse,
    pause: refuse,
    resume: refuse,
    restart: refuse,
    stop: leave,
    logTail: () => "",
    [Symbol.asyncDispose]: leave,
  };
}

/** @throws Error for a URL of TLS: whose certificate to trust can't be said in it. */
function endpointOf(url: string): Endpoint {
  const { protocol, hostname, port, username, password } = new URL(url);
  if (protocol !== "redis:") throw new Error(`${protocol} can't be used here, only redis:`);
  return {
    host: hostname,
    port: port === "" ? 6379 : Number(port),
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
  };
}
