/** Files and directories, to and fro. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunClient } from "boxrun-sdk";

await using client = new BoxRunClient();
await using box = await client.create("base", { memoryMb: 256 });
const here = await mkdtemp(join(tmpdir(), "boxrun-example-"));
try {
  await writeFile(join(here, "numbers.txt"), "3\n1\n2\n");
  await box.files.upload(here, "/work");
  await box.shell("sort numbers.txt >sorted.txt", { workdir: "/work", check: true });
  for (const { name, size } of await box.files.list("/work")) console.log(`${name}: ${size} bytes`);
  console.log(`sorted: ${(await box.files.readText("/work/sorted.txt")).trim().split("\n").join(" ")}`);

  await box.files.download("/work", join(here, "back"));
  console.log(`back: ${(await readFile(join(here, "back/sorted.txt"), "utf8")).length} bytes`);
} finally {
  await rm(here, { recursive: true, force: true });
}
