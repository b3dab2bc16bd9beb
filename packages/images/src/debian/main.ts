/**
 * `node packages/images/src/debian/main.ts [--suite S] [--packages a,b] [--mirror URL] [--refresh] OUT.tar`: makes a Debian image for
 * `boxrun images import`. Needs root and debootstrap.
 */
import { toBoxRunError } from "@boxrun/contract";
import { commandLine } from "@boxrun/host";
import { defaultCacheDir } from "../cache-dir.ts";
import { buildDebianImage } from "./build.ts";

const { values, positionals } = commandLine(import.meta.url, {
  options: {
    suite: { type: "string" },
    packages: { type: "string" },
    mirror: { type: "string" },
    refresh: { type: "boolean", default: false },
  },
  operands: ["OUT.tar"],
});

const [outFile = ""] = positionals;
const stop = new AbortController();
process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
try {
  const image = await buildDebianImage({
    outFile,
    cacheDir: defaultCacheDir(),
    ...(values.suite === undefined ? {} : { suite: values.suite }),
    ...(values.packages === undefined ? {} : { packages: values.packages.split(",").filter((name) => name !== "") }),
    ...(values.mirror === undefined ? {} : { mirror: values.mirror }),
    refresh: values.refresh,
    log: (line) => process.stderr.write(`${line}\n`),
    signal: stop.signal,
  });
  process.stdout.write(`${outFile}: ${image.reference}, ${Math.round(image.sizeBytes / 1e6)} MB\n`);
} catch (error) {
  process.stderr.write(`${toBoxRunError(error).message}\n`);
  process.exitCode = 1;
}
