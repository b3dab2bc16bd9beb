import { readFileSync } from "node:fs";
import { proxyVariables } from "./server-environment.ts";
import { liveServer } from "./server-pid.ts";
import type { Session } from "./session.ts";
import { isOwn } from "./target.ts";

/** Says so where this command has another proxy than the server that is about to use one: the server's own counts. */
export function noteOtherProxy({ reporter, target }: Session, env: NodeJS.ProcessEnv = process.env): void {
  const server = isOwn(target) ? environmentOf(liveServer(target.stateDir)?.pid) : undefined;
  if (server === undefined) return;
  const other = proxyVariables.filter(
    (name) => proxyOf(env, name) !== undefined && proxyOf(env, name) !== proxyOf(server, name),
  );
  if (other.length === 0) return;
  reporter.note(
    `The server pulls with the proxy settings that it was started with; ${other.join(", ")} of this command is not used. ` +
      "`boxrun server stop`: the next command starts one with its own; boxes run on.",
    { ignored: other },
  );
}

function proxyOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] || env[name.toLowerCase()] || undefined;
}

/** `undefined` where the system does not tell. */
function environmentOf(pid: number | undefined): NodeJS.ProcessEnv | undefined {
  if (pid === undefined) return undefined;
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return Object.fromEntries(
      entries.map((entry) => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)]),
    );
  } catch {
    return undefined;
  }
}
