/** A directory of this computer in a box: read there, written there, and nothing else of the computer is seen. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunClient } from "boxrun-sdk";

await using client = new BoxRunClient();
const here = await mkdtemp(join(tmpdir(), "boxrun-example-"));
try {
  const [input, output] = [join(here, "in"), join(here, "out")];
  for (const directory of [input, output]) await mkdir(directory);
  await writeFile(join(input, "words.txt"), "pear\napple\n");

  await using box = await client.create("base", {
    memoryMb: 256,
    volumes: [
      { hostPath: input, guestPath: "/in", readonly: true },
      { hostPath: output, guestPath: "/out" },
    ],
  });
  await box.shell("sort /in/words.txt >/out/sorted.txt", { check: true });
  console.log(`sorted: ${(await readFile(join(output, "sorted.txt"), "utf8")).trim().split("\n").join(" ")}`);

  const refused = await box.shell("echo more >>/in/words.txt");
  console.log(`writing into a read-only one: ${refused.ok ? "done" : "refused"}`);
} finally {
  await rm(here, { recursive: true, force: true });
}
