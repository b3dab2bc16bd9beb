import type { Terminal } from "boxrun-sdk";

/** Reads a terminal as a person does: until something is to be seen. */
export class Screen {
  readonly terminal: Terminal;
  readonly #reader: AsyncIterator<Uint8Array>;
  #unread: Buffer = Buffer.alloc(0);

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.#reader = terminal.output[Symbol.asyncIterator]();
  }

  type(text: string): Promise<void> {
    return this.terminal.write(text);
  }

  /** Types a command and resolves with its output, once a prompt follows. */
  async run(command: string): Promise<string> {
    // In two pieces on the line, so that the echo of what is typed is not taken for it.
    await this.type(`${command}; echo do''ne\r`);
    return await this.until("done\r\n");
  }

  /** Everything up to and with `text`; throws if the terminal ends before. */
  async until(text: string): Promise<string> {
    const pieces = [this.#unread];
    let tail = this.#unread;
    while (!tail.includes(text)) {
      const { done, value } = await this.#reader.next();
      if (done) throw new Error(`the terminal ended without ${JSON.stringify(text)}: ${tail}`);
      pieces.push(Buffer.from(value));
      tail = Buffer.concat([tail.subarray(-Buffer.byteLength(text)), value]);
    }
    const all = Buffer.concat(pieces);
    const end = all.length - tail.length + tail.indexOf(text) + Buffer.byteLength(text);
    this.#unread = all.subarray(end);
    return all.subarray(0, end).toString();
  }

  /** Everything that still comes. */
  async rest(): Promise<string> {
    const pieces: Uint8Array[] = [this.#unread];
    for (let next = await this.#reader.next(); !next.done; next = await this.#reader.next()) pieces.push(next.value);
    return Buffer.concat(pieces).toString();
  }
}
