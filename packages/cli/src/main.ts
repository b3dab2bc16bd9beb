import { version } from "./version.ts";

/** The `boxrun` command. Sets `process.exitCode`; nothing is left running but what the command asked for. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    const { print } = await import("./output/streams.ts");
    return print(`${version}\n`).catch(async (error: unknown) => (await import("./program.ts")).endWith(error));
  }
  if (argv[0] === "__complete") {
    const { complete } = await import("./completion/complete.ts");
    await complete(argv.slice(1));
    return;
  }
  const { runProgram } = await import("./program.ts");
  await runProgram(argv);
}
