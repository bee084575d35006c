/** A server as tests hold it: where it listens, and what can be done to it. */

import type { Argument } from "./endpoint.js";

export interface RedisServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** With the password of the default user, if it has one: `redis://:secret@127.0.0.1:11000`; `rediss:` with TLS. */
  readonly url: string;
  /** The certificate authority to trust, in PEM; `undefined` without TLS. */
  readonly ca: string | undefined;
  /** `undefined` while it does not run, and always for a server that is not ours. */
  readonly pid: number | undefined;
  /** Why it can't be killed, paused or started; `undefined` for a server that we started. For `test.skipIf`. */
  readonly whyNotOurs: string | undefined;
  /** Sends one command as an administrator, over a connection of its own. @throws the server's error. */
  command(name: string, ...args: readonly Argument[]): Promise<unknown>;
  /** Ends it by SIGKILL and resolves once it is gone. Done before, it does nothing. */
  kill(): Promise<void>;
  /** Stops it by SIGSTOP: connections stay open, and nobody answers. */
  pause(): Promise<void>;
  /** Lets it go on. */
  resume(): Promise<void>;
  /** Starts it again on its port and its files; ends it by SIGTERM first if it runs. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it for good and removes its folder; a server that is not ours stays. */
  stop(): Promise<void>;
  /** The end of its log, at most 4,000 characters. */
  logTail(): string;
}
