import type { EngineInfo } from "@boxrun/contract";
import { ClientError, systemCodeOf } from "@boxrun/sdk";
import { openClient } from "../connect.ts";
import { addressOf, isOwn, type Target } from "../target.ts";
import { version } from "../version.ts";
import { type Check, fail, ok, reason, warn } from "./check.ts";

/** Whether the server answers, and what it says of its engine. Starts none. */
export async function checkServer(target: Target): Promise<Check[]> {
  const address = addressOf(target);
  await using client = await openClient(target);
  try {
    const info = await client.info({ signal: AbortSignal.timeout(15_000) });
    return [checkVersion(info.version, address), checkEngine(info.engine)];
  } catch (error) {
    const isDown =
      error instanceof ClientError && ["ENOENT", "ECONNREFUSED"].includes(systemCodeOf(error) ?? "no code");
    if (isOwn(target) && isDown) return [ok("server", "does not run; the next command starts it")];
    return [
      fail("server", `${address}: ${reason(error)}`, "Look into its log; `boxrun serve` shows it on the terminal."),
    ];
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

function checkEngine({ name, accelerator, ready, why }: Omit<EngineInfo, "capabilities">): Check {
  return ready
    ? ok("engine", `${name} with ${accelerator}: ${why}`)
    : fail("engine", `${name}: ${why}`, "Do what it says, then try again.");
}
