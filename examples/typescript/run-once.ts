/** A box for one command: made, used and removed in one call. */
import { BoxRunClient } from "boxrun-sdk";

await using client = new BoxRunClient();
const { stdout, exitCode } = await client.run("base", ["sh", "-c", "echo from a box of its own"], {
  memoryMb: 256,
  timeoutMs: 60_000,
});
console.log(`${exitCode}: ${stdout.trim()}`);
