import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { downloadPackages } from "../../../packages/host/src/apt.ts";
import { run } from "../../../packages/host/src/run.ts";
import { basePackages } from "../../../packages/images/src/base/programs.ts";

/** A Debian package by its very bytes. */
const pinSchema = z.object({
  package: z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/),
  version: z.string().regex(/^[A-Za-z0-9.+:~-]+$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Debian's source package of it, with its version. */
  source: z.string(),
});
export type Pin = z.infer<typeof pinSchema>;

const inputsSchema = z.object({
  /** The compiler of agent and host helper: another one makes other bytes. */
  go: z.string(),
  kernel: pinSchema,
  busybox: pinSchema,
  certificates: pinSchema,
  /** What the base image has besides: all that its builder asks for, in that order. */
  programs: z.array(pinSchema).refine((pins) => pins.map((pin) => pin.package).join() === basePackages.join(), {
    error: `the packages have to be ${basePackages.join(", ")}: \`npm run release:guest -- --pin-newest\``,
  }),
});
export type Inputs = z.infer<typeof inputsSchema>;

/** All of Debian that the guest package is made of. */
export function pinsOf({ kernel, busybox, certificates, programs }: Inputs): readonly Pin[] {
  return [kernel, busybox, certificates, ...programs];
}

const file = join(import.meta.dirname, "inputs.json");

export async function readInputs(): Promise<Inputs> {
  return inputsSchema.parse(JSON.parse(await readFile(file, "utf8")));
}

/** Fetches the package into the directory `scratch`, which holds no other, and gives the file. Throws if it is not the very same. */
export async function fetchPinned(pin: Pin, scratch: string): Promise<string> {
  const operation = `fetch ${pin.package} ${pin.version}, as tools/release/guest/inputs.json wants it`;
  const path = await download(`${pin.package}=${pin.version}`, scratch, operation);
  const sha256 = await sha256Of(path);
  if (sha256 !== pin.sha256) throw new Error(`${operation}: its sha256 is ${sha256}, not ${pin.sha256}`);
  return path;
}

/** Writes down what apt and Go have now: the inputs from the next build on. */
export async function pinNewest(scratch: string): Promise<Inputs> {
  const meta = await run("apt-cache", ["depends", "--important", "linux-image-cloud-amd64"], {
    operation: "find the newest kernel",
  });
  const kernel = /Depends: (linux-image-\S+)/.exec(meta)?.[1];
  if (kernel === undefined) throw new Error("find the newest kernel: run `apt-get update`");
  const inputs: Inputs = {
    go: await goVersion(),
    kernel: await pinOf(kernel, scratch),
    busybox: await pinOf("busybox-static", scratch),
    certificates: await pinOf("ca-certificates", scratch),
    programs: [],
  };
  for (const name of basePackages) inputs.programs.push(await pinOf(name, scratch));
  await writeFile(file, `${JSON.stringify(inputs, null, 2)}\n`);
  return inputs;
}

export async function goVersion(): Promise<string> {
  const version = await run("go", ["env", "GOVERSION"], { operation: "ask Go", env: { GOTOOLCHAIN: "local" } });
  return version.trim();
}

async function pinOf(name: string, scratch: string): Promise<Pin> {
  const operation = `fetch the newest ${name}`;
  const path = await download(name, scratch, operation);
  const field = async (key: string) => (await run("dpkg-deb", ["-f", path, key], { operation })).trim();
  const version = await field("Version");
  const [source = "", sourceVersion = `(${version})`] = (await field("Source")).split(" ");
  // What signs the kernel is a source package of its own, of the same version but for a sign.
  const isSigned = source.startsWith("linux-signed-");
  return {
    package: name,
    version,
    sha256: await sha256Of(path),
    source: isSigned ? `linux ${version}` : `${source || name} ${sourceVersion.slice(1, -1)}`,
  };
}

async function download(what: string, scratch: string, operation: string): Promise<string> {
  const hint = "a mirror keeps the newest alone: `npm run release:guest -- --pin-newest` after `apt-get update`";
  const uris = await run("apt-get", ["download", "--print-uris", what], { operation: `${operation} (${hint})` });
  const name = /^'[^']+' (\S+) /.exec(uris)?.[1];
  if (name === undefined) throw new Error(`${operation}: apt-get knows no such package; ${hint}`);
  await downloadPackages([what], scratch, operation);
  return join(scratch, name);
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
