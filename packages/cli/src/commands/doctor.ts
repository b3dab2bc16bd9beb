import type { Check } from "../doctor/check.ts";
import { cacheDirOf, checkBuilt, checkSocket, checkStateDir } from "../doctor/files.ts";
import { checkDiskSpace, checkKvm, checkMachine, checkNode, checkTools } from "../doctor/host.ts";
import { checkServer } from "../doctor/server.ts";
import { spin } from "../output/spinner.ts";
import { print, printJson } from "../output/streams.ts";
import { printable, type Style, styled } from "../output/text.ts";
import { reporterOf, targetOf } from "../session.ts";
import { isOwn, type Target } from "../target.ts";
import type { Verb } from "../verb.ts";

/** A check has failed. */
const unhealthy = 1;

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
Checks what boxes need on this host, and starts nothing. Exit code 1 if a check fails, 0 also with warnings.

Examples:
  $ boxrun doctor
  $ boxrun doctor --json | jq '.[] | select(.status != "ok")'
`,
    )
    .action(async () => {
      const checks = await examine(targetOf(command), reporterOf(command).json);
      if (reporterOf(command).json) await printJson(checks);
      else await print(`${checks.map(line).join("")}${summary(checks)}`);
      if (checks.some(({ status }) => status === "fail")) process.exitCode = unhealthy;
    });
}

async function examine(target: Target, json: boolean): Promise<Check[]> {
  const { env } = process;
  using _ = spin("Looking around…", { json });
  const server = await checkServer(target);
  // Of a server elsewhere, this host says nothing.
  if (!isOwn(target)) return [checkNode(), ...server];
  const { stateDir } = target;
  return [
    checkNode(),
    checkMachine(),
    checkKvm(),
    ...checkTools(),
    ...checkBuilt(cacheDirOf(env)),
    checkStateDir(stateDir),
    await checkDiskSpace(stateDir),
    checkSocket(target.socketPath),
    ...server,
  ];
}

const marks: Readonly<Record<Check["status"], { readonly text: string; readonly style: Style }>> = {
  ok: { text: "ok  ", style: "green" },
  warn: { text: "warn", style: "yellow" },
  fail: { text: "FAIL", style: "red" },
};

function line({ status, name, message, advice }: Check): string {
  const { text, style } = marks[status];
  const what = `${styled(style, text)}  ${styled("bold", name)}  ${printable(message)}\n`;
  return advice === undefined ? what : `${what}      ${styled("dim", "→")} ${printable(advice)}\n`;
}

function summary(checks: readonly Check[]): string {
  const failures = checks.filter(({ status }) => status === "fail").length;
  const warnings = checks.filter(({ status }) => status === "warn").length;
  if (failures > 0) return `\n${failures} of ${checks.length} checks failed.\n`;
  return warnings > 0 ? `\nBoxes run here; ${warnings} things could be better.\n` : "\nAll is well.\n";
}
