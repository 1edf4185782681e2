// Loading node:child_process takes 2 ms, and commands that only read have no use for it: it is loaded at the first call.
const load = () => require("node:child_process");

export const execFile = (...given) => load().execFile(...given);
export const execFileSync = (...given) => load().execFileSync(...given);
export const spawn = (...given) => load().spawn(...given);
export const spawnSync = (...given) => load().spawnSync(...given);
