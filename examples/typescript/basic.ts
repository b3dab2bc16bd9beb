/** A box, a command in it, its result. The box is gone at the end. */
import { BoxRunClient } from "boxrun-sdk";

await using client = new BoxRunClient();
await using box = await client.create("base", { memoryMb: 256 });

const { stdout } = await box.exec(["uname", "-s"], { check: true });
console.log(`kernel: ${stdout.trim()}`);

const failing = await box.shell("echo nothing here >&2; exit 3");
console.log(`exit code ${failing.exitCode}: ${failing.stderr.trim()}`);
