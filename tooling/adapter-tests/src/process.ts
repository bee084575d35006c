/** What the tests of the adapter packages run in a process or a thread of its own, where there is no vitest. */

export { dyingInWrite } from "./dying-in-write.js";
export { playScript } from "./scripted-store.js";
export { writeUntilKilled } from "./write-until-killed.js";
