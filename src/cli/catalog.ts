import type { Command } from "./command.ts";

interface Entry {
  readonly name: string;
  readonly usage: string;
  readonly describe: string;
  load(): Promise<{ readonly command: Command }>;
}

/** All commands by group, as `wf --help` lists them. A command's file is read only when the command is used. */
export const CATALOG: readonly { readonly group: string; readonly commands: readonly Entry[] }[] = [
  {
    group: "Running",
    commands: [
      {
        name: "run",
        usage: "run FILE [ID]",
        describe: "run a workflow",
        load: () => import("./commands/run.ts"),
      },
      {
        name: "resume",
        usage: "resume RUN",
        describe: "go on with a run",
        load: () => import("./commands/resume.ts"),
      },
      {
        name: "next",
        usage: "next RUN",
        describe: "do one step attempt of a run, then pause it",
        load: () => import("./commands/next.ts"),
      },
      {
        name: "approve",
        usage: "approve RUN [STEP]",
        describe: "let a run pass the gate at which it waits",
        load: () => import("./commands/approve.ts"),
      },
      {
        name: "reject",
        usage: "reject RUN [STEP]",
        describe: "send it back from there, with a comment",
        load: () => import("./commands/reject.ts"),
      },
      {
        name: "cancel",
        usage: "cancel RUN",
        describe: "stop a run's steps and end it as canceled",
        load: () => import("./commands/cancel.ts"),
      },
    ],
  },
  {
    group: "Looking",
    commands: [
      {
        name: "status",
        usage: "status RUN",
        describe: "how a run stands, step by step",
        load: () => import("./commands/status.ts"),
      },
      {
        name: "progress",
        usage: "progress RUN",
        describe: "a run's progress in a few lines, or its events as they come",
        load: () => import("./commands/progress.ts"),
      },
      { name: "ls", usage: "ls", describe: "all runs, newest first", load: () => import("./commands/ls.ts") },
      {
        name: "logs",
        usage: "logs RUN [STEP]",
        describe: "what steps printed",
        load: () => import("./commands/logs.ts"),
      },
      {
        name: "show",
        usage: "show RUN STEP",
        describe: "one attempt of a step, whole",
        load: () => import("./commands/show.ts"),
      },
      {
        name: "why",
        usage: "why RUN [STEP]",
        describe: "why each step ran or did not, and what a resume would do",
        load: () => import("./commands/why.ts"),
      },
      {
        name: "graph",
        usage: "graph FILE|RUN [PART]",
        describe: "a picture of a workflow, or of a run of it",
        load: () => import("./commands/graph.ts"),
      },
    ],
  },
  {
    group: "Reviewing",
    commands: [
      {
        name: "fork",
        usage: "fork RUN@STEP",
        describe: "a new run that shares what came before a step",
        load: () => import("./commands/fork.ts"),
      },
      {
        name: "diff",
        usage: "diff A [B]",
        describe: "what two runs have differently, noise left out",
        load: () => import("./commands/diff.ts"),
      },
      {
        name: "canon",
        usage: "canon RUN",
        describe: "a run without what differs from run to run",
        load: () => import("./commands/canon.ts"),
      },
      {
        name: "fixture",
        usage: "fixture WHAT",
        describe: "keep runs as tests of their workflows",
        load: () => import("./commands/fixture.ts"),
      },
      {
        name: "replay",
        usage: "replay RUN",
        describe: "hold a workflow against a record, running nothing",
        load: () => import("./commands/replay.ts"),
      },
      {
        name: "git-setup",
        usage: "git-setup",
        describe: "make git diff show committed runs without noise",
        load: () => import("./commands/git-setup.ts"),
      },
      {
        name: "verify",
        usage: "verify RUN",
        describe: "hold a run against every promise of its format",
        load: () => import("./commands/verify.ts"),
      },
      {
        name: "prune",
        usage: "prune [RUN…]",
        describe: "remove runs that are not needed any more",
        load: () => import("./commands/prune.ts"),
      },
    ],
  },
  {
    group: "Authoring",
    commands: [
      {
        name: "init",
        usage: "init [FILE]",
        describe: "write a workflow to start from",
        load: () => import("./commands/init.ts"),
      },
      {
        name: "validate",
        usage: "validate FILE…",
        describe: "all problems of workflow files",
        load: () => import("./commands/validate.ts"),
      },
      {
        name: "schema",
        usage: "schema [NAME]",
        describe: "a JSON Schema of this version",
        load: () => import("./commands/schema.ts"),
      },
      {
        name: "doctor",
        usage: "doctor",
        describe: "check the surroundings",
        load: () => import("./commands/doctor.ts"),
      },
    ],
  },
];

export const ENTRIES: readonly Entry[] = CATALOG.flatMap(({ commands }) => commands);
