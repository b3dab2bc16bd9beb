import type { EngineInfo, Finding } from "@boxrun/contract";
import { checkOrphans, fail, ok, reason, warn } from "@boxrun/host";
import { type BoxRunClient, BoxRunError, ClientError, systemCodeOf } from "boxrun-sdk";
import { openClient } from "../connect.ts";
import { addressOf, isOwn, type Target } from "../target.ts";
import { version } from "../version.ts";

export interface ServerFindings {
  readonly checks: readonly Finding[];
  /** `undefined`: it does not answer. */
  readonly engine: EngineInfo | undefined;
}

/** Whether the server answers, and with which engine. Starts none. */
export async function checkServer(target: Target): Promise<ServerFindings> {
  const address = addressOf(target);
  await using client = await openClient(target);
  try {
    const info = await client.info({ signal: AbortSignal.timeout(15_000) });
    return { checks: [checkVersion(info.version, address), ...(await findOrphans(client))], engine: info.engine };
  } catch (error) {
    const isDown =
      error instanceof ClientError && ["ENOENT", "ECONNREFUSED"].includes(systemCodeOf(error) ?? "no code");
    const check =
      isOwn(target) && isDown
        ? ok("server", "does not run; the next command starts it")
        : fail("server", `${address}: ${reason(error)}`, "Look into its log; `boxrun serve` shows it on the terminal.");
    return { checks: [check], engine: undefined };
  }
}

/** What a server elsewhere finds on its own host; `undefined` for one that is too old to be asked. */
export async function askForFindings(target: Target): Promise<readonly Finding[] | undefined> {
  await using client = await openClient(target);
  try {
    return await client.findings({ signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "NOT_FOUND") return undefined;
    return [warn("host", `the server can't examine it: ${reason(error)}`, "Look into the server's log.")];
  }
}

/** Nothing to say where all is well, or of a server that is too old to be asked. */
async function findOrphans(client: BoxRunClient): Promise<Finding[]> {
  try {
    return checkOrphans(await client.orphans.list({ signal: AbortSignal.timeout(15_000) }));
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "NOT_FOUND") return [];
    return [warn("boxes", `can't be compared with the database: ${reason(error)}`, "Look into the server's log.")];
  }
}

function checkVersion(serverVersion: string, address: string): Finding {
  return serverVersion === version
    ? ok("server", `${serverVersion} answers at ${address}`)
    : warn(
        "server",
        `is ${serverVersion}, this command ${version}`,
        "Stop it; the next command starts the new one. Boxes run on.",
      );
}
