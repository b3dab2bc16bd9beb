import type { ProgramContext } from "./program.ts";

const prompt = "$ ";

/** A shell that reads lines from a terminal, echoes what is typed, and runs each line; Ctrl-C drops the line. */
export async function converse(
  context: ProgramContext,
  runLine: (line: string) => Promise<number | undefined>,
): Promise<number> {
  const { stdin, stdout } = context;
  let line = "";
  let code = 0;
  context.trap("SIGINT", () => {
    line = "";
    stdout(`^C\r\n${prompt}`).catch(() => undefined);
  });
  await stdout(prompt);
  for await (const data of stdin) {
    for (const character of Buffer.from(data).toString("utf8")) {
      if (character !== "\r" && character !== "\n") {
        line += character;
        await stdout(character);
        continue;
      }
      await stdout("\r\n");
      const typed = line.trim();
      line = "";
      const [, exit, wanted] = typed.match(/^(exit)(?: (\d+))?$/) ?? [];
      if (exit !== undefined) return Number(wanted ?? code);
      if (typed !== "") code = (await runLine(typed)) ?? 0;
      await stdout(prompt);
    }
  }
  return code;
}
