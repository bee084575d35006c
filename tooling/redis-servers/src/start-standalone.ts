/** One server on its own. */

import { findServer } from "./find-server.js";
import { type FoundServer, whyNotOurs } from "./found-server.js";
import { OwnServer } from "./own-server.js";
import type { RedisServer } from "./redis-server.js";
import { borrowedServer } from "./running-server.js";
import type { ServerOptions } from "./server-options.js";

export interface StandaloneOptions extends ServerOptions {
  /** Default: what `findServer()` finds. */
  readonly server?: FoundServer;
}

/**
 * Starts a server, and resolves when it answers PING. Where the server that was found runs already, resolves with
 * that one: a test shares it with others, and can't kill it (see {@link RedisServer.whyNotOurs}).
 *
 * @throws Error with the end of the server's log, where it does not start; and for options of a server that is not ours.
 */
export async function startStandalone({ server, ...options }: StandaloneOptions = {}): Promise<RedisServer> {
  const found = server ?? (await findServer());
  if (found.kind === "program") return OwnServer.start(found, options);
  const wishes = Object.keys(options);
  if (wishes.length > 0) throw new Error(`${whyNotOurs(found)}: it can't be given ${wishes.join(", ")}`);
  return borrowedServer(found);
}
