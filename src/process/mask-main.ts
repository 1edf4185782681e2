import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { patternsOf } from "../secrets/secrets.ts";
import { takeOrder } from "./mask-order.ts";
import { reader, realPipes } from "./mask-pipes.ts";
import { MaskedStream } from "./mask-stream.ts";

// Around a step of a run with secrets: `node mask.js -- PROGRAM ARGUMENT…`. It stands where the step would, in its
// process group, with the log files as its output; what the step prints comes to it by pipes. It decides nothing:
// signals are for the step, and the step's exit status is its own.

const [STDOUT, STDERR] = [1, 2] as const;
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;

// SIGUSR1 would start a debugger.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const) {
  process.on(signal, () => undefined);
}
const [program = "", ...args] = process.argv.slice(process.argv.indexOf("--") + 1);
main();

function main(): void {
  const { values, env: forTheStep } = takeOrder(process.env);
  const env = { ...process.env, ...forTheStep };
  // Where a shell sets it, to what it starts: that was this process.
  if (env._ !== undefined) env._ = program;
  const patterns = patternsOf(values);
  const [out, err] = realPipes() ?? [];
  let child: ChildProcess;
  try {
    child = spawn(program, args, { env, stdio: ["inherit", out?.write ?? "pipe", err?.write ?? "pipe"] });
  } catch (error) {
    notStarted(error as NodeJS.ErrnoException);
  }
  for (const pipe of [out, err]) if (pipe) fs.closeSync(pipe.write);
  if (child.pid === undefined) {
    child.once("error", notStarted);
    return;
  }
  const streams = [
    new MaskedStream(patterns, out ? reader(out.read) : (child.stdout as Readable), STDOUT, out?.read),
    new MaskedStream(patterns, err ? reader(err.read) : (child.stderr as Readable), STDERR, err?.read),
  ];
  child.once("exit", (code, signal) => {
    const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    void Promise.all(streams.map((stream) => stream.drained())).then(() => process.exit(status));
  });
}

/** As a shell says it. */
function notStarted(error: NodeJS.ErrnoException): never {
  fs.writeSync(STDERR, `wf: ${program} can not be started: ${error.code}\n`);
  process.exit(error.code === "ENOENT" ? NOT_FOUND : NOT_RUNNABLE);
}
