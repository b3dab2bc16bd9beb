/** An agent writes a program, runs it in a box, reads what went wrong, and repairs it. Its model is a script here: put yours in its place. */
import { BoxRunClient } from "boxrun-sdk";

interface Message {
  readonly role: "user" | "assistant";
  readonly text: string;
}

type Model = (conversation: readonly Message[]) => Promise<string>;

/** Forgets to close its loop at first, and mends that when it is shown the error. */
const scriptedModel: Model = async (conversation) => {
  const sawError = conversation.some(({ role, text }) => role === "user" && text.includes("exit code"));
  const loop = "sum=0; for n in 1 2 3 4; do sum=$((sum + n))";
  return sawError ? `${loop}; done\necho "sum $sum"\n` : `${loop}\necho "sum $sum"\n`;
};

await using client = new BoxRunClient();
await using box = await client.create("base", { memoryMb: 256 });
const conversation: Message[] = [{ role: "user", text: "Write a shell script that prints the sum of 1 to 4." }];

for (let attempt = 1; attempt <= 5; attempt += 1) {
  const program = await scriptedModel(conversation);
  conversation.push({ role: "assistant", text: program });
  await box.files.write("/work/program.sh", program);
  const ended = await box.exec(["sh", "/work/program.sh"], { timeoutMs: 30_000 });
  console.log(`attempt ${attempt}: exit code ${ended.exitCode}`);
  if (ended.ok) {
    console.log(ended.stdout.trim());
    break;
  }
  conversation.push({ role: "user", text: `It ended with exit code ${ended.exitCode}:\n${ended.stderr}` });
}
