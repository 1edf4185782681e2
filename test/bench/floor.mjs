import { spawn } from "node:child_process";

// The least that Node needs for such a run: it starts `sh -c true` STEPS times, AT_ONCE at a time, and keeps nothing.
const [steps, atOnce] = process.argv.slice(2).map(Number);
let started = 0;
for (let i = 0; i < atOnce; i += 1) next();

function next() {
  if (started === steps) return;
  started += 1;
  spawn("/bin/sh", ["-c", "true"], { stdio: "ignore" }).once("exit", next);
}
