/**
 * Starts a server as it was built, says its process id and folder as JSON, and then does what its argument says:
 * `stay` for ever, or `leave` without a word to the server.
 */

import { startStandalone } from "@leakdb/redis-servers";

const server = await startStandalone();
await server.pause();
process.stdout.write(`${JSON.stringify({ pid: server.pid, folder: server.folder })}\n`);
if (process.argv[2] === "stay") setInterval(() => server.pid, 1_000);
