import { version } from "./version.ts";

/** The `boxrun` command. Sets `process.exitCode`; nothing is left running but what the command asked for. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    process.stdout.write(`${version}\n`);
    return;
  }
  if (argv[0] === "__complete") {
    const { complete } = await import("./completion/complete.ts");
    await complete(argv.slice(1));
    return;
  }
  const { runProgram } = await import("./program.ts");
  await runProgram(argv);
}
