import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BoxHandle, BoxRunClient } from "boxrun-sdk";
import { collect } from "../../test/e2e/support/http.ts";
import { pythonEnvironment } from "../../test/e2e/support/python.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, median, ms, timed } from "./figures.ts";

const calls = 200;
const rounds = 40;
const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const built = new URL("../../packages/sdk/dist/node/index.js", import.meta.url).href;

/** What the SDKs add to an exec and to the start of a program. Turn and turn about, so that a noisy host is noisy for both. */
export async function benchSdk(): Promise<Figure[]> {
  // What the SDK itself needs, and nothing else: other packages may make httpx load more.
  const bin = await pythonEnvironment("python-bench", ["anyio>=4", "httpx>=0.27", "httpx-sse>=0.4"]);
  const python = join(bin, "python");
  return [...(await execOverHttp(python)), importOverNode(), importOverHttpx(python)];
}

async function execOverHttp(python: string): Promise<Figure[]> {
  await using server = await TestServer.start();
  await using client = new BoxRunClient({ socketPath: server.socketPath });
  await using box = await client.create("base", { memoryMb: 128 });
  return [await throughTypeScript(server, box), await throughPython(python, server, box)];
}

async function throughTypeScript(server: TestServer, box: BoxHandle): Promise<Figure> {
  const [bare, throughSdk]: [number[], number[]] = [[], []];
  for (let call = 0; call < calls; call += 1) {
    bare.push((await timed(() => collect(server.http.follow(box.id, ["true"])))).ms);
    throughSdk.push((await timed(() => box.exec(["true"], { check: true }))).ms);
  }
  return execFigure("TypeScript", median(throughSdk), median(bare), 3);
}

async function throughPython(python: string, server: TestServer, box: BoxHandle): Promise<Figure> {
  const { stdout } = await promisify(execFile)(
    python,
    [path("bench/src/sdk_exec.py"), server.socketPath, box.id, String(calls)],
    { env: { ...process.env, PYTHONPATH: path("python/src") } },
  );
  const { bare, sdk }: { bare: number; sdk: number } = JSON.parse(stdout);
  return execFigure("Python", sdk, bare, 6);
}

function execFigure(language: string, sdk: number, bare: number, barMs: number): Figure {
  return {
    name: `exec true through the ${language} SDK, median of ${calls}`,
    value: `${ms(sdk)}, ${ms(sdk - bare)} over`,
    reference: `the same by bare HTTP, ${ms(bare)}`,
    bar: `${barMs} ms over`,
    held: sdk - bare <= barMs,
  };
}

/** Of the package as it is published. */
function importOverNode(): Figure {
  processMs(process.execPath, [path("packages/sdk/build.mjs")]);
  const [node, importing] = inTurns(
    () => processMs(process.execPath, ["-e", "0"]),
    () => processMs(process.execPath, ["--input-type=module", "-e", `import ${JSON.stringify(built)}`]),
  );
  return {
    name: `import "boxrun-sdk", median of ${rounds}`,
    value: `${ms(importing)}, ${ms(importing - node)} over`,
    reference: `node -e 0, ${ms(node)}`,
    bar: "40 ms over",
    held: importing - node <= 40,
  };
}

/** With a client, which is what programs take from it. */
function importOverHttpx(python: string): Figure {
  const env = { ...process.env, PYTHONPATH: path("python/src") };
  const [httpx, importing] = inTurns(
    () => processMs(python, ["-c", "import httpx"], env),
    () => processMs(python, ["-c", "from boxrun_sdk import BoxRun"], env),
  );
  return {
    name: `from boxrun_sdk import BoxRun, median of ${rounds}`,
    value: ms(importing),
    reference: `import httpx, ${ms(httpx)}`,
    bar: "1.3 ×",
    held: importing <= 1.3 * httpx,
  };
}

/** The medians of both, after one of each that fills caches. */
function inTurns(one: () => number, other: () => number): readonly [number, number] {
  one();
  other();
  const [ones, others]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    ones.push(one());
    others.push(other());
  }
  return [median(ones), median(others)];
}

function processMs(program: string, args: readonly string[], env = process.env): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const tookMs = performance.now() - begun;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return tookMs;
}
