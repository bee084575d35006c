/**
 * Reads a store with nothing but the `lmdb` package and what docs/lmdb.md says of the layout, in a process of its own:
 * prints its mark, its records and its index of expiries as JSON.
 */

import { open } from "lmdb";

const root = open({
  path: process.argv[2],
  noSubdir: false,
  readOnly: true,
  keyEncoding: "binary",
  maxDbs: 3,
});
const entries = (name) => [
  ...root.openDB(name, { encoding: "binary", keyEncoding: "binary" }).getRange({ start: new Uint8Array(0) }),
];
const records = entries("records").map(({ key, value }) => ({
  key: Buffer.from(key).toString(),
  version: Number(value.readBigUInt64BE(4)),
  expiresAt: Number(value.readBigUInt64BE(12)),
  value: value.toString("latin1", 20),
}));
const expiries = entries("expiries").map(({ key }) => ({
  expiresAt: Number(Buffer.from(key).readBigUInt64BE(0)),
  key: Buffer.from(key).toString("utf8", 8),
}));
const marks = entries("leakdb").map(({ key, value }) => ({
  key: Buffer.from(key).toString(),
  ...JSON.parse(value.toString("utf8", 4)),
}));
process.stdout.write(JSON.stringify({ records, expiries, marks }));
await root.close();
