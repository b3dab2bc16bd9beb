import { attachQuerySchema } from "@boxrun/contract";
import type { AttachedTerminal, BoxRunCore } from "../../src/index.ts";

/** Attaches and reads, as the server does for a client. */
export class TestTerminal {
  readonly terminal: AttachedTerminal;
  readonly #reader: AsyncIterator<Uint8Array>;
  #unread: Buffer = Buffer.alloc(0);

  private constructor(terminal: AttachedTerminal) {
    this.terminal = terminal;
    this.#reader = terminal.output[Symbol.asyncIterator]();
  }

  static async attach(core: BoxRunCore, box: string, query: Record<string, unknown> = {}): Promise<TestTerminal> {
    return new TestTerminal(await core.sessions.attach(box, attachQuerySchema.parse(query)));
  }

  async type(text: string): Promise<void> {
    await this.terminal.write(Buffer.from(text));
  }

  /** Everything up to and with `text`; throws if the terminal ends before. */
  async until(text: string): Promise<string> {
    const pieces = [this.#unread];
    let tail = this.#unread;
    while (!tail.includes(text)) {
      const { done, value } = await this.#reader.next();
      if (done) throw new Error(`the terminal ended without ${JSON.stringify(text)}: ${tail}`);
      pieces.push(Buffer.from(value));
      // Only where it could begin: what is read may be megabytes.
      tail = Buffer.concat([tail.subarray(-Buffer.byteLength(text)), value]);
    }
    const all = Buffer.concat(pieces);
    const end = all.length - tail.length + tail.indexOf(text) + Buffer.byteLength(text);
    this.#unread = all.subarray(end);
    return all.subarray(0, end).toString();
  }

  /** The next piece of output, `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#reader.next();
    return done ? undefined : value;
  }

  /** All that is still to come. */
  async rest(): Promise<string> {
    const pieces: Uint8Array[] = [this.#unread];
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }
}
