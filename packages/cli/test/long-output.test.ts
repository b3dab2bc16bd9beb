import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

const mib = 1024 * 1024;
/** More than a stalled reader's sockets and pipes hold, and the limit. */
const blocks = 192;
const block = Buffer.alloc(64 * 1024, 0xff);
const total = blocks * block.length;

let cli: CliWithServer;
let written = 0;
beforeAll(async () => {
  cli = await CliWithServer.start({
    outputLimitBytes: mib,
    readerStallMs: 1_000,
    programs: {
      flood: async ({ argv, stdout, killed }) => {
        written = 0;
        for (let number = 0; number < blocks && !killed.aborted; number += 1) {
          block.writeUInt32BE(number);
          await stdout(Buffer.from(block));
          written += block.length;
        }
        return Number(argv[1] ?? 0);
      },
    },
  });
  await cli.createBox("dev");
});
afterAll(() => cli[Symbol.asyncDispose]());

const isMissing = expect.stringMatching(/^.*exec in dev: \d+ bytes of the program's output are missing.*$/m);

describe("exec", () => {
  it("passes every byte of an output that is far beyond the server's limit", async () => {
    const { code, stdoutBytes, stderr } = await cli.run("exec", "dev", "flood");
    expect({ code, stderr, bytes: stdoutBytes.length }).toEqual({ code: 0, stderr: "", bytes: total });
    for (let number = 0; number < blocks; number += 1) {
      expect(stdoutBytes.readUInt32BE(number * block.length)).toBe(number);
    }
  });

  it("whose output was not read, and is missing, says so and ends with 125; the program has run to its end", async () => {
    written = 0;
    const exec = cli.spawn("exec", "dev", "flood");
    exec.child.stdout?.pause();
    exec.child.stdin?.end();
    await expect.poll(() => written, { timeout: 60_000 }).toBe(total);
    exec.child.stdout?.resume();
    const { code, stderr, stdoutBytes } = await exec.result();
    expect({ code, stderr }).toEqual({ code: 125, stderr: isMissing });
    const [missing] = /\d+(?= bytes of the program's)/.exec(stderr) ?? [];
    expect(stdoutBytes.length + Number(missing)).toBe(total);
  });
});

describe("logs", () => {
  let id: string;
  beforeAll(async () => {
    id = (await cli.run("exec", "-d", "dev", "flood", "3")).stdout.trim();
    expect((await cli.run("wait", "dev", id)).code).toBe(3);
  });

  it("of an output that was not kept whole end with 125, and say how much is missing, also as JSON", async () => {
    const text = await cli.run("logs", "dev", id);
    expect(text).toMatchObject({ code: 125, stderr: expect.stringContaining("BOXRUN_OUTPUT_LIMIT_MB") });
    const json = await cli.run("logs", "--json", "-f", "dev", id);
    const events = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const gap = events.find(({ truncated }) => truncated);
    expect(gap.skipped_bytes).toBe(total - text.stdoutBytes.length);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: "OUTPUT_INCOMPLETE", operation: `logs of ${id}` });
    expect(json.code).toBe(125);
  });

  it("that show only what is there are complete", async () => {
    expect((await cli.run("logs", "--json", "--tail", "1", "dev", id)).code).toBe(0);
    expect((await cli.run("logs", "--json", "--tail", "1000", "dev", id)).code).toBe(125);
  });
});

describe("run", () => {
  it("passes every byte, too", async () => {
    const { code, stdoutBytes } = await cli.run("run", "base", "flood", "4");
    expect({ code, bytes: stdoutBytes.length }).toEqual({ code: 4, bytes: total });
  });
});
