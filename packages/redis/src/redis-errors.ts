/** What an error of the server or of its connection means to core. The table in `docs/redis.md` is this file in words. */

import { AdapterError, type ErrorCode, type FailureKind } from "@leakdb/core/adapter";

/** The server refused a command before it did anything; the same may succeed later. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "BUSY",
  "BUSYKEY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
  "UNKILLABLE",
]);
/** Whoever runs the server has to change something first. */
const PERMANENT: ReadonlySet<string> = new Set(["NOAUTH", "NOPERM", "WRONGPASS", "WRONGTYPE", "DENIED"]);

const ADVICE: Readonly<Record<string, string>> = {
  BUSY: "a script of somebody else's keeps the server busy",
  CLUSTERDOWN: "the Cluster serves not all of its slots",
  DENIED: "the server runs in protected mode: set a password, or bind it to where its clients are",
  LOADING: "the server is reading its data",
  MASTERDOWN: "the replica has lost its master",
  MISCONF: "the server cannot save to its disk: look at its log",
  NOAUTH: "the server wants a password: give `connection.password`, or put it into the url",
  NOPERM: "the user lacks a permission; docs/redis.md lists the commands and keys that it needs",
  NOREPLICAS: "too few replicas are connected (min-replicas-to-write)",
  OOM: "the server has reached its maxmemory: raise it, or remove keys",
  READONLY: "the server is a replica now: a failover is under way",
  TRYAGAIN: "a slot is being moved to another node",
  WRONGPASS: "the user name or the password is wrong",
  WRONGTYPE: "another program uses one of the store's keys: choose another keyPrefix",
};

/** Before Redis 7 what a command in a script was refused for stands in the middle of the script's own error. */
const WRAPPED = /^ERR Error running script\b.*?: -?([A-Z]{3,}) /s;
/** What a user may not do is told without its code, when a script wanted to do it. */
const FORBIDDEN_IN_SCRIPT = /The user executing the script can't/;
const OWN_CODE = /^-?([A-Z]+)\b/;

/** True for what the server answered; false for what became of the connection. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** The first word of a server's error, such as `OOM`; `""` for what is none. */
export function replyCode(error: unknown): string {
  if (!isReplyError(error)) return "";
  if (FORBIDDEN_IN_SCRIPT.test(error.message)) return "NOPERM";
  const wrapped = WRAPPED.exec(error.message)?.[1];
  if (wrapped !== undefined && (TRANSIENT.has(wrapped) || PERMANENT.has(wrapped))) return wrapped;
  return OWN_CODE.exec(error.message)?.[1] ?? "";
}

function isTooManyClients(error: unknown): boolean {
  return isReplyError(error) && error.message.includes("max number of clients");
}

/** What a command's failure means: an answer tells it, silence does not. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof AdapterError) return error.kind;
  const code = replyCode(error);
  if (TRANSIENT.has(code) || isTooManyClients(error)) return "transient";
  return PERMANENT.has(code) ? "permanent" : "ambiguous";
}

/** Of a call that has changed nothing. */
export function unchanged(error: unknown): FailureKind {
  return kindOf(error) === "permanent" ? "permanent" : "transient";
}

/** An error for core. @param kind what is known where the error itself does not tell. */
export function redisError(store: string, what: string, cause: unknown, kind?: FailureKind): AdapterError {
  if (cause instanceof AdapterError && (kind === undefined || kind === cause.kind)) return cause;
  const code = replyCode(cause);
  const advice = ADVICE[code];
  const said = cause instanceof Error ? cause.message : String(cause);
  return new AdapterError(`${store}: ${what}: ${advice === undefined ? said : `${advice} (${said})`}`, {
    kind: kind ?? kindOf(cause),
    ...(cause instanceof AdapterError && cause.code !== undefined && { code: cause.code as ErrorCode }),
    cause,
  });
}

/** No mutation is at fault for what keeps a store from coming back, so none of them may be given up for it. */
export function awayError(error: AdapterError): AdapterError {
  const { kind, code, message } = error;
  if (kind !== "permanent" || code === "LEAKDB_FENCED") return error;
  return new AdapterError(message, { kind: "transient", cause: error, ...(code !== undefined && { code }) });
}

export function fenced(store: string, by: string): AdapterError {
  const who = by === "" ? "another process" : by;
  return new AdapterError(
    `${store}: ${who} has taken over the store: this process no longer owns it, and nothing it sends is stored; close it`,
    { kind: "permanent", code: "LEAKDB_FENCED" },
  );
}
