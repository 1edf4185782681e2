export interface Server {
  readonly url: string;
  /** The model of each request so far. */
  readonly calls: readonly string[];
  /** How many requests wait for an answer. */
  waiting(): number;
  /** Answers them. */
  release(): void;
  close(): void;
}

export function startServer(): Promise<Server>;
