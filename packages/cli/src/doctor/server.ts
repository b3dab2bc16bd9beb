import type { EngineInfo } from "@boxrun/contract";
import { type BoxRunClient, BoxRunError, ClientError, systemCodeOf } from "boxrun-sdk";
import { openClient } from "../connect.ts";
import { addressOf, isOwn, type Target } from "../target.ts";
import { version } from "../version.ts";
import { type Check, fail, ok, reason, warn } from "./check.ts";

export interface ServerFindings {
  readonly checks: readonly Check[];
  /** `undefined`: it does not answer. */
  readonly engine: EngineInfo | undefined;
}

/** Whether the server answers, and with which engine. Starts none. */
export async function checkServer(target: Target): Promise<ServerFindings> {
  const address = addressOf(target);
  await using client = await openClient(target);
  try {
    const info = await client.info({ signal: AbortSignal.timeout(15_000) });
    return { checks: [checkVersion(info.version, address), ...(await checkOrphans(client))], engine: info.engine };
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

/** Nothing to say where all is well, or of a server that is too old to be asked. */
async function checkOrphans(client: BoxRunClient): Promise<Check[]> {
  try {
    const orphans = await client.orphans.list({ signal: AbortSignal.timeout(15_000) });
    if (orphans.length === 0) return [];
    const ids = orphans.map(({ id }) => id);
    const listed = ids.length > 5 ? `${ids.slice(0, 5).join(", ")}, …` : ids.join(", ");
    const boxes = ids.length === 1 ? "1 box is" : `${ids.length} boxes are`;
    return [
      warn(
        "boxes",
        `${boxes} here that the database does not know: ${listed}`,
        "`boxrun recover` takes them in or removes them.",
      ),
    ];
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "NOT_FOUND") return [];
    return [warn("boxes", `can't be compared with the database: ${reason(error)}`, "Look into the server's log.")];
  }
}

function checkVersion(serverVersion: string, address: string): Check {
  return serverVersion === version
    ? ok("server", `${serverVersion} answers at ${address}`)
    : warn(
        "server",
        `is ${serverVersion}, this command ${version}`,
        "Stop it; the next command starts the new one. Boxes run on.",
      );
}
