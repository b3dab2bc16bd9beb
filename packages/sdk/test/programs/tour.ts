/** What a user of the package writes: type-checked against the packed package, and run by every runtime that it is for. */
import { type Box, type BoxHandle, BoxRunClient, BoxRunError, type ExecResult } from "boxrun-sdk";

await using client = new BoxRunClient();
await using box: BoxHandle = await client.create("base", { cpu: 1, memoryMb: 64 });
const info: Box = box.info;

const ended: ExecResult = await box.shell("echo out; echo err >&2; exit 4");
const fed = await box.exec(["cat"], { stdin: "fed" });

const running = box.execStream(["cat"], { stdin: true });
const input = running.stdin.getWriter();
await input.write("streamed");
await input.close();
let streamed = "";
for await (const event of running) {
  if (event.type === "exit") streamed += ` ${event.exitCode}`;
  else streamed += event.text;
}

await box.files.write("/file", "content");
await box.files.download("/file", "file");
await box.files.upload("file", "/again");

const terminal = await box.attach({ shell: "/bin/sh" });
await terminal.write("exit 3\n");
let shown = 0;
for await (const piece of terminal.output) shown += piece.length;

const code = await client.get("nobody").catch((error: unknown) => {
  if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return error.code;
  throw error;
});

console.log(
  JSON.stringify({
    status: info.status,
    ended: [ended.exitCode, ended.stdout, ended.stderr],
    fed: fed.stdout,
    streamed,
    again: await box.files.readText("/again"),
    terminal: (await terminal.exit).code,
    hasShown: shown > 0,
    code,
  }),
);
