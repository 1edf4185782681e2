import fs from "node:fs";
import path from "node:path";

/**
 * What changes files, by the name that `node:fs` has for it: from the arguments (a callback aside) the target, whether
 * it needs space, how to do it in part, and what to do when it is done; null for a call that changes nothing.
 * `real` are the functions as they were, `names` the paths of open descriptors, `part` is how much of the bytes is "in part".
 */
export function operations(real, names, part) {
  const show = (target) => (target instanceof URL ? target.pathname : String(target));
  const named = (fd) => names.get(fd) ?? `descriptor ${fd}`;
  const bytes = (data) =>
    typeof data === "string"
      ? Buffer.from(data)
      : Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength);
  const some = (data) => data.subarray(0, Math.floor(data.length * part));
  const onPath = (space) => (args) => ({ target: show(args[0]), space });
  const onTwo = (args) => ({ target: `${show(args[0])} -> ${show(args[1])}`, space: true });
  const onFd = (args) => ({ target: named(args[0]), space: false });

  const describe = {
    open: (args) => {
      const flags = args[1] ?? "r";
      const creates = typeof flags === "string" ? /[wa]/.test(flags) : (flags & fs.constants.O_CREAT) !== 0;
      const done = (opened) => names.set(opened?.fd ?? opened, show(args[0]));
      // Opening what is there changes nothing, but the name is worth knowing.
      return { target: show(args[0]), space: true, done, silent: !creates };
    },
    write: (args) => {
      if (args[0] <= 2) return null;
      const data = bytes(args[1]);
      const [offset, length] =
        typeof args[1] === "string"
          ? [0, data.length]
          : typeof args[2] === "object" && args[2] !== null
            ? [args[2].offset ?? 0, args[2].length ?? data.length]
            : [args[2] ?? 0, args[3] ?? data.length - (args[2] ?? 0)];
      const bit = some(data.subarray(offset, offset + length));
      return { target: named(args[0]), space: true, partial: () => real.writeSync(args[0], bit) };
    },
    writev: (args) => ({
      target: named(args[0]),
      space: true,
      partial: () => real.writeSync(args[0], some(Buffer.concat(args[1].map(bytes)))),
    }),
    writeFile: (args) => {
      if (typeof args[0] === "number" && args[0] <= 2) return null;
      const target = typeof args[0] === "number" ? named(args[0]) : show(args[0]);
      return {
        target,
        space: true,
        partial: () => real.writeFileSync(args[0], some(bytes(args[1])), args[2]),
      };
    },
    appendFile: (args) => ({
      target: show(args[0]),
      space: true,
      partial: () => real.appendFileSync(args[0], some(bytes(args[1])), args[2]),
    }),
    mkdir: (args) => {
      if (!args[1]?.recursive) return { target: show(args[0]), space: true };
      let first = path.resolve(show(args[0]));
      while (!real.existsSync(path.dirname(first))) first = path.dirname(first);
      return { target: show(args[0]), space: true, partial: () => real.mkdirSync(first) };
    },
    rm: (args) => {
      const target = show(args[0]);
      const found = real.lstatSync(target, { throwIfNoEntry: false });
      if (!found) return null;
      if (!found.isDirectory()) return { target, space: false };
      const partial = () => {
        const [first] = real.readdirSync(target);
        if (first) real.rmSync(path.join(target, first), { recursive: true, force: true });
      };
      return { target, space: false, partial };
    },
    copyFile: (args) => ({
      ...onTwo(args),
      partial: () => real.writeFileSync(args[1], some(real.readFileSync(args[0]))),
    }),
  };
  return {
    ...describe,
    fdatasync: onFd,
    fsync: onFd,
    rename: onTwo,
    link: onTwo,
    symlink: onTwo,
    cp: onTwo,
    unlink: onPath(false),
    mkdtemp: onPath(true),
    rmdir: onPath(false),
    truncate: onPath(false),
    ftruncate: onFd,
    chmod: onPath(false),
    fchmod: onFd,
    utimes: onPath(false),
    lutimes: onPath(false),
    futimes: onFd,
  };
}
