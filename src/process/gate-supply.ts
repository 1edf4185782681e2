import { Direct } from "./direct.ts";
import type { Environment } from "./environment.ts";
import type { Gate, GateSource } from "./gate-source.ts";
import { Helper } from "./helper.ts";
import { findShell } from "./shell.ts";

/** Helpers in a row that gave no wrapper before it is done without. */
const MAX_EMPTY_HELPERS = 3;

export interface GateSupplyOptions {
  readonly env: Environment;
  /** Where `bash` is looked for. */
  readonly path: string | undefined;
  readonly capacity: number;
  readonly by: "helper" | "spawn" | undefined;
  onGate(gate: Gate): void;
  /** What was asked for will not come; ask again. */
  onRoom(): void;
  onBroken(why: string): void;
}

/** Wrappers from a helper as long as there is one; from a new one if it died; one by one where none works. */
export class GateSupply {
  readonly #options: GateSupplyOptions;
  readonly #sources = new Set<GateSource>();
  #source: GateSource | null = null;
  #asked = 0;
  /** By the present source. */
  #made = 0;
  #emptyHelpers = 0;
  #broken = false;

  constructor(options: GateSupplyOptions) {
    this.#options = options;
  }

  get helperPid(): number | undefined {
    return this.#source instanceof Helper ? this.#source.pid : undefined;
  }

  /** Sees to it that as many are on their way. */
  ask(count: number): void {
    while (this.#asked < count && !this.#broken) {
      this.#source ??= this.#open();
      if (this.#source.room === 0) {
        this.#source.retire();
        // Its successor has asked for them by now, unless there can be none.
        return;
      }
      this.#asked++;
      this.#source.request();
    }
  }

  lookForDead(): void {
    this.#source?.lookForDead();
  }

  async close(): Promise<void> {
    this.#broken = true;
    await Promise.all([...this.#sources].map((source) => source.close()));
  }

  #open(): GateSource {
    const { env, path, capacity, by } = this.#options;
    const events = {
      onGate: (gate: Gate) => {
        if (this.#source === source) this.#asked--;
        this.#made++;
        this.#options.onGate(gate);
      },
      onRenewal: () => {
        if (this.#source === source) this.#asked++;
      },
      onLost: () => {
        if (this.#source !== source) return;
        this.#asked--;
        this.#options.onRoom();
      },
      onGone: (why: string) => this.#onGone(source, why),
    };
    const bash =
      by === "spawn" || this.#emptyHelpers >= MAX_EMPTY_HELPERS ? null : findShell("bash", path, "/");
    const source =
      bash === null
        ? new Direct(findShell("/bin/sh", "", "/") ?? "sh", env, capacity, events)
        : new Helper(bash, env, capacity, events);
    this.#made = 0;
    this.#sources.add(source);
    return source;
  }

  #onGone(source: GateSource, why: string): void {
    if (this.#source !== source || this.#broken) return;
    this.#source = null;
    this.#asked = 0;
    if (source instanceof Direct) {
      this.#broken = true;
      this.#options.onBroken(why);
      return;
    }
    this.#emptyHelpers = this.#made > 0 ? 0 : this.#emptyHelpers + 1;
    this.#options.onRoom();
  }
}
