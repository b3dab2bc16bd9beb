/** Child of state-lock.test.ts: takes the lock of the directory that it is given, says `locked` or the error, and waits. */
import { writeSync } from "node:fs";
import { lockStateDir } from "../../src/index.ts";

try {
  const lock = lockStateDir(process.argv[2] ?? "");
  writeSync(1, "locked\n");
  process.on("SIGTERM", () => {
    lock.release();
    process.exit(0);
  });
  setInterval(() => undefined, 60_000);
} catch (error) {
  writeSync(1, `${JSON.stringify({ error, message: error instanceof Error ? error.message : "" })}\n`);
}
