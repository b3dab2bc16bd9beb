import { urls } from "@boxrun/contract";
import { parseEvents } from "../support/sse.ts";
import type { Host } from "./host.ts";

/** What a program was, and what its reader has of it. */
export interface Program {
  readonly boxId: string;
  readonly execId: string;
  /** All that it writes to standard output if nobody ends it, and its exit code then. */
  readonly whole: () => string;
  readonly exitCode: number;
  /** How often its box had been ended when it was asked for. */
  readonly endsBefore: number;
  isCanceled: boolean;
}

/**
 * A client that follows a program to its end, however often the server goes away, and never asks for an event again that it has. Every byte
 * is to come once.
 */
export class Follower {
  readonly program: Program;
  stdout = "";
  exitCode: number | null | undefined;
  error: string | undefined;
  /** The exec is gone with its box. */
  isGone = false;
  /** What should not have come, each a sentence. */
  readonly wrong: string[] = [];
  #seq = 0;

  constructor(program: Program) {
    this.program = program;
  }

  get hasEnded(): boolean {
    return this.isGone || this.exitCode !== undefined;
  }

  async follow(host: Host, signal: AbortSignal): Promise<void> {
    while (!this.hasEnded && !signal.aborted) {
      const server = await host.server(signal);
      await this.#read(server, signal).catch(() => undefined);
    }
  }

  async #read(server: Awaited<ReturnType<Host["server"]>>, signal: AbortSignal): Promise<void> {
    const { boxId, execId } = this.program;
    const headers = this.#seq === 0 ? {} : { "last-event-id": String(this.#seq) };
    const response = await server.http.raw("GET", urls.execEvents(boxId, execId), { headers, signal });
    if (response.statusCode === 404) {
      this.isGone = true;
      return;
    }
    if (response.statusCode !== 200) return;
    for await (const { event, data } of parseEvents(response.body)) {
      if (data.seq !== this.#seq + 1) this.wrong.push(`event ${data.seq} came behind ${this.#seq}`);
      this.#seq = data.seq;
      if (event === "exit") {
        const exit: { exit_code: number | null; error?: string } = JSON.parse(data.data);
        this.exitCode = exit.exit_code;
        this.error = exit.error;
      } else if (event !== "log") this.wrong.push(`there was an event ${event}`);
      else if (data.stream === "stdout") this.stdout += data.data;
    }
  }
}
