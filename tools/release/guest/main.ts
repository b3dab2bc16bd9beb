/**
 * `npm run release:guest -- [OUTDIR] [--pin-newest] [--twice]`: makes the npm package @boxrun/guest-linux-x64 in OUTDIR (default: release/) from
 * the inputs that inputs.json pins. `--twice` makes it again and compares. `--pin-newest` writes down what apt and Go have today instead.
 */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commandLine } from "../../../packages/host/src/command-line.ts";
import { makeGuestPackage } from "./build.ts";
import { pinNewest, readInputs } from "./inputs.ts";

const limitBytes = 25e6;

const { values, positionals } = commandLine(import.meta.url, {
  operands: ["[OUTDIR]"],
  options: { "pin-newest": { type: "boolean", default: false }, twice: { type: "boolean", default: false } },
});
const log = (line: string) => console.log(`guest package: ${line}`);
const scratch = await mkdtemp(join(tmpdir(), "boxrun-release-"));
try {
  if (values["pin-newest"]) {
    log(`pinned ${JSON.stringify(await pinNewest(scratch))}`);
  } else {
    const inputs = await readInputs();
    const out = resolve(positionals[0] ?? "release");
    const file = await makeGuestPackage({ inputs, out, scratch: join(scratch, "first"), log });
    const { size } = await stat(file);
    if (size > limitBytes) throw new Error(`${file} is ${size} bytes: more than ${limitBytes}`);
    if (values.twice) {
      const again = await makeGuestPackage({
        inputs,
        out: join(scratch, "again"),
        scratch: join(scratch, "second"),
        log,
      });
      if (!(await readFile(again)).equals(await readFile(file))) throw new Error(`two builds of ${file} differ`);
      log("made twice, the same bytes");
    }
    log(`${file}, ${(size / 1e6).toFixed(1)} MB`);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
