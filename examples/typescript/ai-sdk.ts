/** Vercel's AI SDK with tools made of a box. Its model is a script here, so that it runs without a key: put yours in its place. */
import { generateText, isStepCount, tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { BoxRunClient } from "boxrun-sdk";
import { z } from "zod";

await using client = new BoxRunClient();
await using box = await client.create("base", { memoryMb: 256 });

const tools = {
  writeFile: tool({
    description: "Writes a file below /work.",
    inputSchema: z.object({ path: z.string().startsWith("/work/"), content: z.string() }),
    execute: async ({ path, content }, { abortSignal }) => {
      await box.files.write(path, content, { signal: abortSignal });
      return `wrote ${path}`;
    },
  }),
  shell: tool({
    description: "Runs a line of shell in /work and returns its exit code and output.",
    inputSchema: z.object({ command: z.string() }),
    execute: async ({ command }, { abortSignal }) => {
      const { exitCode, stdout, stderr } = await box.shell(command, {
        workdir: "/work",
        timeoutMs: 60_000,
        signal: abortSignal,
      });
      return { exitCode, stdout, stderr };
    },
  }),
};

const tokens = { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 };
const usage = { inputTokens: tokens, outputTokens: { total: 0, text: 0, reasoning: 0 } };
const call = (toolName: keyof typeof tools, input: object) => ({
  content: [{ type: "tool-call" as const, toolCallId: crypto.randomUUID(), toolName, input: JSON.stringify(input) }],
  finishReason: { unified: "tool-calls" as const, raw: undefined },
  usage,
  warnings: [],
});
const say = (text: string) => ({
  content: [{ type: "text" as const, text }],
  finishReason: { unified: "stop" as const, raw: undefined },
  usage,
  warnings: [],
});

const script = [
  () => call("writeFile", { path: "/work/data.txt", content: "3\n4\n5\n" }),
  () => call("shell", { command: "awk '{ sum += $1 } END { print sum }' data.txt" }),
  (seen: string) => say(`The sum is ${/"stdout":"(\d+)/.exec(seen)?.[1] ?? "unknown"}.`),
];
const model = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => (script.shift() ?? (() => say("I am done.")))(JSON.stringify(prompt.at(-1))),
});

const { text, steps } = await generateText({
  model,
  tools,
  stopWhen: isStepCount(10),
  prompt: "Put 3, 4 and 5 into a file and add them up.",
});
for (const { toolResults } of steps) {
  for (const { toolName, output } of toolResults) console.log(`${toolName}: ${JSON.stringify(output)}`);
}
console.log(text);
