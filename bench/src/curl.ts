import { spawn } from "node:child_process";
import { once } from "node:events";

/** A caller that takes next to none of the CPU that it shares with the server and the guest. Fails with what it says. */
export async function curl(socketPath: string, path: string, args: readonly string[]): Promise<void> {
  const all = ["--silent", "--show-error", "--fail-with-body", "--unix-socket", socketPath, ...args];
  const child = spawn("curl", [...all, `http://localhost${path}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`curl of ${path} ended with ${code}: ${said}`);
}
