/** What a test may set of a server, and the configuration file that comes of it. Pure. */

import type { ServerProgram } from "./found-server.js";
import { isAtLeast } from "./server-version.js";

export interface ServerOptions {
  /** Keeps an append-only file, which survives a `kill()`. Default false: nothing is kept on disk. */
  readonly appendOnly?: boolean;
  /** When that file is synced. Default `"everysec"`. */
  readonly appendFsync?: "always" | "everysec" | "no";
  /** The password of the default user. Default: none is asked for. */
  readonly password?: string;
  /** Further users by name, each with its ACL rules, such as `on >secret ~app:* +@read`. `default` may be one. */
  readonly users?: Readonly<Record<string, string>>;
  /** Speaks TLS alone, with a certificate for `127.0.0.1` and `localhost` from an authority made for it. Default false. */
  readonly tls?: boolean;
  /** Bytes of memory, after which a write fails, unless `config` sets another `maxmemory-policy`. Default: no limit. */
  readonly maxMemoryBytes?: number;
  /** Default 16. */
  readonly databases?: number;
  /** Further lines of the configuration, which win over all others; a list gives a line for each value. */
  readonly config?: Readonly<Record<string, string | number | readonly string[]>>;
}

/** The user as whom this package talks to its servers, so that a test may do to the default user what it likes. */
export interface Administrator {
  readonly username: string;
  readonly password: string;
}

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly administrator: Administrator;
}

type Lines = Map<string, readonly string[]>;

/** The text of `redis.conf`. */
export function serverConfig(program: ServerProgram, place: Place, options: ServerOptions): string {
  const lines: Lines = new Map();
  const set = (name: string, ...values: readonly (string | number)[]): void => {
    lines.set(name, values.map(String));
  };
  set("bind", place.host);
  set("dir", quoted(place.folder));
  set("save", '""');
  set("daemonize", "no");
  set("databases", options.databases ?? 16);
  set("appendonly", options.appendOnly === true ? "yes" : "no");
  set("appendfsync", options.appendFsync ?? "everysec");
  // A replica is to be in sync at once, not after the five seconds in which others might want the same copy.
  set("repl-diskless-sync", "yes");
  set("repl-diskless-sync-delay", 0);
  set("masteruser", place.administrator.username);
  set("masterauth", place.administrator.password);
  if (isAtLeast(program.version, "7.0")) set("enable-debug-command", "yes");
  if (options.maxMemoryBytes !== undefined) {
    set("maxmemory", options.maxMemoryBytes);
    set("maxmemory-policy", "noeviction");
  }
  for (const [name, value] of listenSettings(place.port, options.tls === true)) set(name, value);
  set("user", ...userLines(program, place.administrator, options));
  if (options.password !== undefined) set("requirepass", quoted(options.password));
  for (const [name, value] of Object.entries(options.config ?? {})) {
    if (typeof value === "object") set(name, ...value);
    else set(name, value);
  }
  return [...lines].flatMap(([name, values]) => values.map((value) => `${name} ${value}\n`)).join("");
}

/** Where it listens, and whom it tells what it is; the files are in its folder. */
export function listenSettings(
  port: number,
  isTls: boolean,
): (readonly [name: string, value: string | number])[] {
  if (!isTls) return [["port", port]];
  return [
    ["port", 0],
    ["tls-port", port],
    ["tls-ca-cert-file", "ca.pem"],
    ["tls-cert-file", "certificate.pem"],
    ["tls-key-file", "key.pem"],
    ["tls-auth-clients", "no"],
    ["tls-replication", "yes"],
  ];
}

function userLines(program: ServerProgram, administrator: Administrator, options: ServerOptions): string[] {
  // Redis 6.0 has no permissions for channels, and refuses their names.
  const channels = isAtLeast(program.version, "6.2") ? " allchannels" : "";
  const { username, password } = administrator;
  return [
    `${username} on >${password} allkeys${channels} allcommands`,
    ...Object.entries(options.users ?? {}).map(([name, rules]) => `${name} ${rules}`),
  ];
}

/** As the server reads it back: in quotes, with what is special in them escaped. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
