/** Output as it comes, and input while the program runs. */
import { BoxRunClient } from "boxrun-sdk";

await using client = new BoxRunClient();
await using box = await client.create("base", { memoryMb: 256 });

const questions = ["6*7", "2+2"];
const script = 'while read -r line; do echo "$line = $((line))"; done; echo done >&2';
const running = box.execStream(["sh", "-c", script], { stdin: true });
const input = running.stdin.getWriter();
await input.write(`${questions.shift()}\n`);
for await (const event of running) {
  if (event.type === "exit") {
    console.log(`exit ${event.exitCode}`);
    continue;
  }
  console.log(`${event.type}: ${event.text.trim()}`);
  if (event.type === "stderr") continue;
  const next = questions.shift();
  if (next === undefined) await input.close();
  else await input.write(`${next}\n`);
}
