import type { EngineInfo } from "@boxrun/contract";
import { BoxRunClient, ClientError, systemCodeOf } from "@boxrun/sdk";
import type { Target } from "../target.ts";
import { version } from "../version.ts";
import { type Check, fail, ok, reason, warn } from "./check.ts";

export interface ServerFindings {
  readonly checks: readonly Check[];
  /** `undefined`: it does not answer. */
  readonly engine: EngineInfo | undefined;
}

/** Whether the server answers, and with which engine. Starts none. */
export async function checkServer(target: Target, token: string | undefined): Promise<ServerFindings> {
  const address = target.kind === "url" ? target.baseUrl : `unix://${target.socketPath}`;
  await using client = new BoxRunClient(
    target.kind === "url" ? { baseUrl: target.baseUrl, token } : { socketPath: target.socketPath, token },
  );
  try {
    const info = await client.info({ signal: AbortSignal.timeout(15_000) });
    return { checks: [checkVersion(info.version, address)], engine: info.engine };
  } catch (error) {
    const isOwn = target.kind === "socket" && target.stateDir !== undefined;
    const isDown =
      error instanceof ClientError && ["ENOENT", "ECONNREFUSED"].includes(systemCodeOf(error) ?? "no code");
    const check =
      isOwn && isDown
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
