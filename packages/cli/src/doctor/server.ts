import type { EngineInfo } from "@boxrun/contract";
import { ClientError, systemCodeOf } from "@boxrun/sdk";
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
    return { checks: [checkVersion(info.version, address)], engine: info.engine };
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

function checkVersion(serverVersion: string, address: string): Check {
  return serverVersion === version
    ? ok("server", `${serverVersion} answers at ${address}`)
    : warn(
        "server",
        `is ${serverVersion}, this command ${version}`,
        "Stop it; the next command starts the new one. Boxes run on.",
      );
}
