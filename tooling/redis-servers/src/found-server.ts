/** A server that tests can use: a program to start, or one that runs already and is somebody else's. */

import type { ServerVersion } from "./server-version.js";

/** A program that is ours to start and to kill, as often as a test likes. */
export interface ServerProgram extends ServerVersion {
  readonly kind: "program";
  /** The command before the server's own arguments: one path, or a dynamic loader with its options and the path. */
  readonly command: readonly string[];
  /** Where it comes from, for people. */
  readonly origin: string;
}

/** A standalone server that `LEAKDB_TEST_REDIS_URL` names. It can be used, and neither be stopped nor configured. */
export interface RunningServer extends ServerVersion {
  readonly kind: "running";
  readonly url: string;
  readonly origin: string;
}

export type FoundServer = ServerProgram | RunningServer;

/**
 * Why a test can't start, kill or configure `server`; `undefined` where it can. For `test.skipIf`.
 */
export function whyNotOurs(server: FoundServer): string | undefined {
  if (server.kind === "program") return undefined;
  return `${server.origin} names a server that is not ours to start, stop or configure`;
}

/** @throws Error with the reason of {@link whyNotOurs}. */
export function programOf(server: FoundServer): ServerProgram {
  if (server.kind === "program") return server;
  throw new Error(whyNotOurs(server));
}
