/*
 * Preloaded into a wf process (NODE_OPTIONS=--import …/fault.mjs). It wraps what changes files, starts processes or
 * talks to them, counts the calls, and at a chosen one kills the process or makes the call fail. No code of wf knows
 * of it. It removes itself from the environment, so that nothing wf starts is affected.
 *
 * WF_FAULT is JSON:
 *   trace     a file that gets a line per operation, and one that begins with "HIT" when the fault strikes; "MISS" takes
 *             that back
 *   at        the operation to strike, from 1; absent: none
 *   on        or each operation whose target holds this text
 *   when      before | middle | after the operation; middle: part of the bytes, or the first of several changes
 *   part      middle: how much of the bytes, from 0 to 1; absent: half
 *   does      kill | error | stop (SIGSTOP to itself)
 *   children  kill: first every process whose environment bears `mark`
 *   errno     error: such as ENOSPC
 *   onward    error: every later operation that needs space fails too
 *   clockMs   what the clock is wrong by
 */
import child_process from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { isMainThread } from "node:worker_threads";
import { operations } from "./fault-operations.mjs";

const given = process.env.WF_FAULT;
if (given !== undefined && isMainThread && path.basename(process.argv[1] ?? "") === "wf.js") {
  delete process.env.WF_FAULT;
  delete process.env.NODE_OPTIONS;
  install(JSON.parse(given));
}

function install(config) {
  const real = { ...fs, kill: process.kill.bind(process), spawnSync: child_process.spawnSync };
  const names = new Map();
  let count = 0;
  let depth = 0;

  /** Counts an operation; "none", or what is to be done to it. */
  function strike(name, target, partial, needsSpace) {
    count += 1;
    const n = count;
    if (config.trace) note(JSON.stringify({ n, name, target, middle: partial !== undefined }));
    if (config.at === undefined && config.on === undefined) return "none";
    if (config.on === undefined ? n === config.at : target.includes(config.on)) {
      if (config.trace) note(`HIT ${n} ${config.when} ${name} ${target}`);
      return config.when === "middle" && partial === undefined ? "before" : config.when;
    }
    return config.onward && n > config.at && needsSpace ? "before" : "none";
  }

  function note(line) {
    depth += 1;
    real.appendFileSync(config.trace, `${line}\n`);
    depth -= 1;
  }

  /** Kills, stops, or gives the error that the operation fails with. */
  function act(name, target) {
    if (config.does === "error") {
      const errno = os.constants.errno[config.errno];
      const error = new Error(`${config.errno}: injected, ${name} '${target}'`);
      return Object.assign(error, { code: config.errno, errno: -errno, syscall: name, path: target });
    }
    if (config.does === "stop") {
      real.kill(process.pid, "SIGSTOP");
      return null;
    }
    if (config.children) killMarked();
    real.kill(process.pid, "SIGKILL");
    for (;;);
  }

  function killMarked() {
    const mark = Buffer.from(`\0${config.mark}\0`);
    for (let found = 1; found > 0; ) {
      found = 0;
      for (const entry of real.readdirSync("/proc")) {
        if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
        try {
          const environ = Buffer.concat([Buffer.of(0), real.readFileSync(`/proc/${entry}/environ`)]);
          if (!environ.includes(mark)) continue;
          real.kill(Number(entry), "SIGKILL");
          found += 1;
        } catch {
          // Gone meanwhile, or not ours.
        }
      }
    }
  }

  function runPartial(partial) {
    depth += 1;
    try {
      partial();
    } catch {
      // What was meant to be half done could not be done at all; the process dies, or the call fails, all the same.
    } finally {
      depth -= 1;
    }
  }

  function sync(object, name, describe) {
    const original = object[name];
    if (typeof original !== "function") return;
    object[name] = function (...args) {
      const what = depth > 0 ? null : describe(args);
      if (what === null) return original.apply(this, args);
      const when = what.silent ? "none" : strike(name, what.target, what.partial, what.space);
      if (when === "middle") runPartial(what.partial);
      if (when === "before" || when === "middle") {
        const error = act(name, what.target);
        if (error) throw error;
      }
      let result;
      depth += 1;
      try {
        result = original.apply(this, args);
      } catch (error) {
        // It has an error of its own, so that none is injected.
        if (when === "after" && config.does === "error" && config.trace) note("MISS");
        else if (when === "after") act(name, what.target);
        throw error;
      } finally {
        depth -= 1;
      }
      what.done?.(result);
      if (when === "after") {
        const error = act(name, what.target);
        if (error) throw error;
      }
      return result;
    };
  }

  function callback(object, name, describe) {
    const original = object[name];
    if (typeof original !== "function") return;
    object[name] = function (...args) {
      const done = args.at(-1);
      const what = depth > 0 || typeof done !== "function" ? null : describe(args.slice(0, -1));
      if (what === null) return original.apply(this, args);
      const when = what.silent ? "none" : strike(name, what.target, what.partial, what.space);
      if (when === "middle") runPartial(what.partial);
      if (when === "before" || when === "middle") {
        const error = act(name, what.target);
        if (error) return void process.nextTick(done, error);
      }
      args[args.length - 1] = (error, ...results) => {
        if (!error) what.done?.(results[0]);
        const injected = when === "after" ? act(name, what.target) : null;
        done(injected ?? error, ...results);
      };
      return original.apply(this, args);
    };
  }

  function promise(object, name, describe) {
    const original = object[name];
    if (typeof original !== "function") return;
    object[name] = async function (...args) {
      const what = describe.call(this, args);
      if (what === null) return original.apply(this, args);
      const when = strike(name, what.target, what.partial, what.space);
      if (when === "middle") runPartial(what.partial);
      if (when === "before" || when === "middle") {
        const error = act(name, what.target);
        if (error) throw error;
      }
      const result = await original.apply(this, args);
      what.done?.(result);
      if (when === "after") {
        const error = act(name, what.target);
        if (error) throw error;
      }
      return result;
    };
  }

  const table = operations(real, names, config.part ?? 0.5);
  for (const [name, what] of Object.entries(table)) {
    sync(fs, `${name}Sync`, what);
    callback(fs, name, what);
    if (name in fs.promises && name !== "open") promise(fs.promises, name, what);
  }
  wrapFileHandles();
  sync(child_process, "spawn", (args) => ({ target: String(args[0]), space: false }));
  sync(process, "kill", (args) => (args[1] === 0 ? null : { target: `${args[1]} ${args[0]}`, space: false }));
  wrapPipes();
  if (config.clockMs) shiftClock(config.clockMs);
  syncBuiltinESMExports();

  function wrapFileHandles() {
    const open = fs.promises.open;
    let wrapped = false;
    promise(fs.promises, "open", (args) => table.open(args));
    const counted = fs.promises.open;
    fs.promises.open = async (...args) => {
      const handle = await (table.open(args).silent ? open(...args) : counted(...args));
      if (!wrapped) {
        wrapped = true;
        const prototype = Object.getPrototypeOf(handle);
        for (const name of [
          "write",
          "writev",
          "writeFile",
          "appendFile",
          "datasync",
          "sync",
          "truncate",
          "utimes",
        ]) {
          promise(prototype, name, function () {
            return {
              target: names.get(this.fd) ?? `descriptor ${this.fd}`,
              space: name.startsWith("write") || name === "appendFile",
            };
          });
        }
      }
      return handle;
    };
  }

  /** What goes to a child through a pipe: the gate of a step, orders to a helper. */
  function wrapPipes() {
    for (const name of ["write", "end", "destroy"]) {
      const original = net.Socket.prototype[name];
      net.Socket.prototype[name] = function (...args) {
        const own = this.fd === 1 || this.fd === 2 || this._type !== undefined || depth > 0;
        if (own || this.destroyed || !this.writable || this.connecting) return original.apply(this, args);
        const when = strike(`pipe.${name}`, "a pipe", undefined, false);
        const dies = config.does !== "error";
        if (when === "before" && dies) act(name, "a pipe");
        depth += 1;
        const result = original.apply(this, args);
        depth -= 1;
        if (when === "after" && dies) act(name, "a pipe");
        return result;
      };
    }
  }

  function shiftClock(by) {
    const RealDate = Date;
    globalThis.Date = class extends RealDate {
      constructor(...args) {
        if (args.length === 0) super(RealDate.now() + by);
        else super(...args);
      }
      static now() {
        return RealDate.now() + by;
      }
    };
  }
}
