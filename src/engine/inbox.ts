/** Where callbacks post what happened, and the loop takes it; nothing else crosses between them. */
export class Inbox<Message> {
  #messages: Message[] = [];
  #wake: (() => void) | null = null;
  #poked = false;

  post(message: Message): void {
    this.#messages.push(message);
    this.poke();
  }

  /** Ends a wait without a message: something the situation depends on has changed. */
  poke(): void {
    this.#poked = true;
    this.#wake?.();
  }

  take(): Message[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#poked = false;
    return messages;
  }

  /** Resolves when something was posted since the last `take`, or after `ms` milliseconds. */
  async wait(ms: number | null): Promise<void> {
    if (this.#poked) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      // Node's timers hold 31 bits.
      if (ms !== null) timer = setTimeout(resolve, Math.min(Math.max(ms, 1), 2 ** 31 - 1));
    });
    this.#wake = null;
    clearTimeout(timer);
  }
}
