import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { defaultCacheDir } from "@boxrun/host";
import { createImageContent } from "@boxrun/images";
import type { BoxHandle, Runtime } from "../../packages/engine-boxlite/src/sdk.ts";
import type { Timed } from "./figures.ts";

/** The base image for BoxLite's SDK, unpacked below `dir`. */
export async function baseLayout(dir: string): Promise<string> {
  const cacheDir = defaultCacheDir();
  const images = createImageContent({ dir: join(dir, "images"), cacheDir, logger: silentLogger });
  const { digest } = await images.builtin();
  return images.layoutDir(digest);
}

/** What a create through BoxLite's SDK alone takes, to the end of a first command. */
interface RawCreate extends Timed<BoxHandle> {
  /** In ms: to the first that the command says. */
  readonly firstByte: number;
}

/** One that did not come up in BoxLite's 30 s, on a host that was busy with something else, is made anew. */
export async function createRaw(runtime: Runtime, rootfsPath: string): Promise<RawCreate> {
  const create = async () => {
    const begun = performance.now();
    let firstByte = Number.NaN;
    const onOutput = () => {
      firstByte = performance.now() - begun;
    };
    const result = await createRawOnce(runtime, rootfsPath, onOutput);
    return { result, firstByte, ms: performance.now() - begun };
  };
  return await create().catch(async (error: unknown) => {
    if (!String(error).includes("timed out")) throw error;
    console.log("BoxLite's SDK alone did not bring a box up in 30 s; it gets another attempt, which is counted alone");
    for (const { id, state } of await runtime.listInfo()) if (!state.running) await runtime.remove(id, true);
    return create();
  });
}

/** To the first command's end: a box that takes no commands yet is of no use to anybody. */
async function createRawOnce(runtime: Runtime, rootfsPath: string, onOutput: () => void): Promise<BoxHandle> {
  const box = await runtime.create({
    rootfsPath,
    cpus: 1,
    memoryMib: 256,
    diskSizeGb: 1,
    autoRemove: false,
    network: { outbound: { mode: "disabled" } },
  });
  await box.start();
  await execRaw(box, onOutput);
  return box;
}

/** `echo`, to its end; tells when it has said something. */
export async function execRaw(box: BoxHandle, onOutput?: () => void): Promise<void> {
  const exec = await box.exec("echo", ["hello"]);
  const stdout = await exec.stdout();
  let output = "";
  for (let text = await stdout.next(); text !== null; text = await stdout.next()) {
    if (output === "") onOutput?.();
    output += text;
  }
  const { exitCode } = await exec.wait();
  check(output, exitCode);
}

export function check(output: string, exitCode: number | null | undefined): void {
  if (output !== "hello\n" || exitCode !== 0)
    throw new Error(`echo printed ${JSON.stringify(output)} and ended with ${exitCode}`);
}
