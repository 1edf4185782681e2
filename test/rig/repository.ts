import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import type { Project } from "./project.ts";

/** A project that is a git repository, with nothing of the surroundings in it. */
export class Repository {
  readonly project: Project;

  constructor(project: Project) {
    this.project = project;
    this.git("init", "--quiet", "--initial-branch=main");
    fs.writeFileSync(project.path(".gitignore"), ".wf\n");
  }

  git(...args: string[]): string {
    const own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"];
    const env = { PATH: process.env.PATH ?? "", HOME: this.project.dir, GIT_CONFIG_NOSYSTEM: "1" };
    return execFileSync("git", ["-C", this.project.dir, ...own, ...args], { encoding: "utf8", env });
  }

  /** All that is there, changed or not. */
  commit(message: string): void {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", message);
  }
}
