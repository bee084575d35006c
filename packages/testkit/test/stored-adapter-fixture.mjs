/**
 * A small adapter over a file, for processes: the reference adapter with its records saved whole after each write. Its
 * options plant what the tests of process adapters look for.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { deserialize, serialize } from "node:v8";
import { AdapterError } from "@leakdb/core/adapter";
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";

const held = new Set();

/** A lock by a process id: good enough where nobody else makes processes. */
function lock(path, scope) {
  if (scope === "process") {
    if (held.has(path)) throw locked(path);
    held.add(path);
    return () => held.delete(path);
  }
  const owner = `${path}.owner`;
  try {
    mkdirSync(owner);
  } catch {
    const pid = existsSync(`${owner}/pid`) ? Number(readFileSync(`${owner}/pid`, "utf8")) : process.pid;
    if (isAlive(pid)) throw locked(path);
  }
  writeFileSync(`${owner}/pid`, String(process.pid));
  return () => rmSync(owner, { recursive: true, force: true });
}

function locked(path) {
  const cause = new Error("held", { cause: Object.assign(new Error("EAGAIN"), { code: "EAGAIN" }) });
  return new AdapterError(`${path} is open elsewhere`, { kind: "transient", code: "LEAKDB_LOCKED", cause });
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** `scope`: "machine" or "process"; `pauseMs`: how long a write waits before it lands; `halves`: lands in two. */
export function stored({ path, scope = "machine", pauseMs = 0, halves = false }) {
  let backend;
  let inner;
  let unlock;
  let report;
  const save = () => {
    const { storeId, highVersion, records } = backend;
    writeFileSync(`${path}.new`, serialize({ storeId, highVersion, records: [...records.values()] }));
    renameSync(`${path}.new`, path);
  };
  const read = () => {
    backend = new ReferenceBackend();
    inner = referenceAdapter({ backend });
    if (!existsSync(path)) return save();
    const { storeId, highVersion, records } = deserialize(readFileSync(path));
    Object.assign(backend, { storeId, highVersion });
    for (const record of records) backend.put(record);
  };
  const mustBeOpen = () => {
    if (unlock === undefined) throw new AdapterError("not open", { kind: "transient" });
  };
  const apply = async (batch) => {
    const result = await inner.write(batch, { signal: new AbortController().signal });
    save();
    return result;
  };
  return {
    ...{ name: "stored", capabilities: referenceAdapter().capabilities },
    async open(context) {
      context.signal.throwIfAborted();
      unlock = lock(path, scope);
      report = context.report;
      read();
      return inner.open(context);
    },
    async write(batch, { signal }) {
      mustBeOpen();
      const [first] = batch;
      if (first?.key === "throws a plain error") throw Object.assign(new Error("plain"), { code: "EPLAIN" });
      if (first?.key === "ends the process") process.exit(3);
      if (first?.key === "is rejected") {
        const error = new AdapterError("refused", { kind: "permanent", code: "LEAKDB_CORRUPTION" });
        return { bytes: 0, rejected: [{ index: 0, error }] };
      }
      if (halves) await apply(batch.slice(0, batch.length / 2));
      try {
        await setTimeout(pauseMs, undefined, { signal });
      } catch {
        throw new AdapterError("aborted", { kind: "transient", cause: signal.reason });
      }
      mustBeOpen();
      return apply(halves ? batch.slice(batch.length / 2) : batch);
    },
    async load(keys) {
      mustBeOpen();
      return inner.load(keys);
    },
    async *scan(range) {
      mustBeOpen();
      let isWhole = false;
      try {
        yield* inner.scan(range);
        isWhole = true;
      } finally {
        if (!isWhole) report(new Error("the scan was left"));
      }
    },
    async sync() {
      mustBeOpen();
    },
    async close() {
      unlock?.();
      unlock = undefined;
    },
  };
}

export default stored;
