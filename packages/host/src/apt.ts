import { run } from "./run.ts";
import { requireTool } from "./tools.ts";

/** Has apt put Debian's packages, `NAME` or `NAME=VERSION`, into the directory `dir`. RUNTIME_ERROR with its words. */
export async function downloadPackages(packages: readonly string[], dir: string, operation: string): Promise<void> {
  // As a user of its own it could not write there.
  const args = ["-q", "-o", "APT::Sandbox::User=root", "download", ...packages];
  await run(requireTool("apt-get", operation), args, { operation, cwd: dir });
}
