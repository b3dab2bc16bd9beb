import type { Finding } from "@boxrun/contract";
import { checkChoice, checkConfinement, checkEngine, checkNode, examineHost } from "@boxrun/host";
import { cacheDirOf } from "../cache-dir.ts";
import { askForFindings, checkServer, type ServerFindings } from "../doctor/server.ts";
import { hanging } from "../output/format.ts";
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
Checks what boxes need on this host, and starts nothing. Of a server elsewhere (--host, --context) it tells what that one finds on its own host.
Exit code 1 if a check fails, 0 also with warnings.

Examples:
  $ boxrun doctor
  $ boxrun doctor --json | jq '.[] | select(.status != "ok")'
`,
    )
    .action(async () => {
      const target = targetOf(command);
      const checks = await examine(target, reporterOf(command).json);
      if (reporterOf(command).json) await printJson(checks);
      else await print(`${report(checks)}\n${summary(checks, isOwn(target) ? "here" : "there")}\n`);
      if (checks.some(({ status }) => status === "fail")) process.exitCode = unhealthy;
    });
}

async function examine(target: Target, json: boolean): Promise<Finding[]> {
  const { env } = process;
  using _ = spin("Looking around…", { json });
  const server = await checkServer(target);
  if (!isOwn(target)) return examineElsewhere(target, server);
  const { stateDir, socketPath } = target;
  const requested = env.BOXRUN_ENGINE || undefined;
  const cacheDir = cacheDirOf(env);
  return examineHost({ stateDir, socketPath, cacheDir, requested, engine: server.engine, server: server.checks });
}

/** Of a server elsewhere this host says nothing: it is asked for what it finds on its own. */
async function examineElsewhere(target: Target, { checks, engine }: ServerFindings): Promise<Finding[]> {
  if (engine === undefined) return [checkNode(), ...checks];
  const found = await askForFindings(target);
  if (found === undefined) {
    return [...checks, checkEngine(engine, undefined), ...checkChoice(engine, undefined), ...checkConfinement(engine)];
  }
  const asked = new Set(checks.map(({ name }) => name));
  return [...checks, ...found.filter(({ name }) => !asked.has(name))];
}

const marks: Readonly<Record<Finding["status"], { readonly text: string; readonly style: Style }>> = {
  ok: { text: "ok  ", style: "green" },
  warn: { text: "warn", style: "yellow" },
  fail: { text: "FAIL", style: "red" },
};

function report(checks: readonly Finding[]): string {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = "FAIL  ".length + nameWidth + "  ".length;
  const lines = checks.flatMap(({ status, name, message, advice }) => {
    const { text, style } = marks[status];
    const about = `${styled(style, text)}  ${styled("bold", name)}${" ".repeat(nameWidth - name.length)}`;
    const what = `${about}  ${hanging(printable(message), indent)}\n`;
    const arrow = `${" ".repeat(indent - 2)}${styled("dim", "→")} `;
    return advice === undefined ? [what] : [what, `${arrow}${hanging(printable(advice), indent)}\n`];
  });
  return lines.join("");
}

function summary(checks: readonly Finding[], where: "here" | "there"): string {
  const failures = checks.filter(({ status }) => status === "fail").length;
  const warnings = checks.filter(({ status }) => status === "warn").length;
  if (failures > 0) return `${failures} of ${checks.length} checks failed.`;
  if (warnings === 0) return "All is well.";
  return `Boxes run ${where}; ${warnings === 1 ? "one thing" : `${warnings} things`} could be better.`;
}
