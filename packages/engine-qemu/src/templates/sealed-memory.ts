import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { BoxRunError } from "@boxrun/contract";
import { keepTail } from "@boxrun/host";

/**
 * A copy of the file in memory that nobody can write, however it is opened (host-helper/hold.go). It is there as long as somebody has it open or mapped. RUNTIME_ERROR with the
 * helper's words.
 */
export async function sealedCopy(hostHelper: string, file: string): Promise<FileHandle> {
  const helper = spawn(hostHelper, ["hold", file], { stdio: ["pipe", "pipe", "pipe"], env: {} });
  const errors = keepTail(helper.stderr, 4096);
  helper.stdin.on("error", () => undefined);
  const failed = new Promise<never>((_, reject) => {
    const fail = (how: string) =>
      reject(new BoxRunError("RUNTIME_ERROR", `take the template ${file} into memory: ${errors.text() || how}`));
    helper.once("error", (error) => fail(error.message));
    helper.once("close", (code, signal) => fail(`its helper ended with ${code ?? signal}`));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: helper.stdout });
  try {
    const [descriptor] = await Promise.race([once(lines, "line"), failed]);
    return await open(`/proc/${helper.pid}/fd/${Number(descriptor)}`, "r");
  } finally {
    lines.close();
    helper.stdin.end();
  }
}
