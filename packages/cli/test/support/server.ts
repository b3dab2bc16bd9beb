import { Readable } from "node:stream";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { boxrun, type CliOptions, CliProcess, type CliResult } from "./cli.ts";

type ServerOptions = NonNullable<Parameters<typeof startTestServer>[0]>;

/** A server on the memory engine, and `boxrun` commands that talk to it. */
export class CliWithServer implements AsyncDisposable {
  readonly server: TestServer;

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async start(options: ServerOptions = {}): Promise<CliWithServer> {
    return new CliWithServer(await startTestServer(options));
  }

  get env(): Record<string, string> {
    return { BOXRUN_STATE_DIR: this.server.stateDir };
  }

  run(...args: readonly string[]): Promise<CliResult> {
    return boxrun(args, { env: this.env });
  }

  runWith(options: CliOptions, ...args: readonly string[]): Promise<CliResult> {
    return boxrun(args, { ...options, env: { ...this.env, ...options.env } });
  }

  spawn(...args: readonly string[]): CliProcess {
    return new CliProcess(args, { env: this.env });
  }

  /** A small box; its id. */
  async createBox(name: string): Promise<string> {
    const box = await this.server.core.boxes.create(
      { image: "base", name, cpu: 1, memory_mb: 64, disk_size_gb: 1, network: false },
      { signal: new AbortController().signal },
    );
    return box.id;
  }

  /** Writes a file of a box; the directories above it are made. */
  async putFile(box: string, path: string, content: string | Uint8Array): Promise<void> {
    const { signal } = new AbortController();
    await this.server.core.files.write(box, path, Readable.from([Buffer.from(content)]), { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
