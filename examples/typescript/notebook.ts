/**
 * A notebook: its cells run in one interpreter, which a session keeps alive while nobody is connected. Cells here are shell, which `base` has;
 * with an image that has Python (`notebook.ts python`, or any other) they are Python, and nothing else is different.
 */
import { randomUUID } from "node:crypto";
import { type BoxHandle, BoxRunClient } from "boxrun-sdk";

/** What an interpreter needs so that it says nothing but what cells print, and how it marks the end of a cell. */
const kernels = {
  shell: {
    program: "sh",
    quiet: "stty -echo -onlcr; PS1= PS2=\n",
    mark: (id: string) => `printf '\\036${id}'\n`,
    cells: [
      "greeting=hello",
      'echo "$greeting, notebook"',
      'for n in 1 2 3; do total=$((total + n)); done; echo "total $total"',
    ],
  },
  python: {
    program: "python3",
    quiet: "import os, sys; os.system('stty -echo -onlcr'); sys.ps1 = sys.ps2 = ''\n",
    mark: (id: string) => `print(end='\\x1e${id}', flush=True)\n`,
    cells: ["greeting = 'hello'", "print(f'{greeting}, notebook')", "print('total', sum([1, 2, 3]))"],
  },
};

const image = process.argv[2] ?? "base";
const kernel = image === "base" ? kernels.shell : kernels.python;

/** Connects, runs some cells, and leaves: the interpreter goes on with all that it knows. */
async function* run(box: BoxHandle, cells: readonly string[], begin = ""): AsyncGenerator<string> {
  await using terminal = await box.attach({ session: "notebook", shell: interpreter });
  const output = terminal.output[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let text = "";
  const send = async (input: string): Promise<string> => {
    // What a session has printed last is told again to whoever attaches, old marks too: each has an id of its own.
    const id = randomUUID();
    await terminal.write(`${input}${kernel.mark(id)}`);
    while (!text.includes(`\u001e${id}`)) {
      const { done, value } = await output.next();
      if (done) throw new Error("the interpreter has ended");
      text += decoder.decode(value, { stream: true });
    }
    const [printed = "", rest = ""] = text.split(`\u001e${id}`);
    text = rest;
    return printed.trim();
  };
  await send(begin);
  for (const cell of cells) yield await send(`${cell}\n`);
}

await using client = new BoxRunClient();
await using box = await client.create(image, { memoryMb: 256 });
const interpreter = (await box.shell(`command -v ${kernel.program}`, { check: true })).stdout.trim();
const [first = "", ...others] = kernel.cells;
for await (const _ of run(box, [first], kernel.quiet)) console.log("one cell, and everybody leaves");
for await (const printed of run(box, others)) console.log(printed);
