import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BoxRunClient } from "boxrun-sdk";
import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, median, ms, timed } from "./figures.ts";

const calls = 200;
const rounds = 40;
const builder = fileURLToPath(new URL("../../packages/sdk/build.mjs", import.meta.url));
const built = new URL("../../packages/sdk/dist/node/index.js", import.meta.url).href;

/** What the TypeScript SDK adds to an exec and to the start of a program. Turn and turn about. */
export async function benchSdk(): Promise<Figure[]> {
  return [await execOverHttp(), importOverNode()];
}

async function execOverHttp(): Promise<Figure> {
  await using server = await TestServer.start();
  await using client = new BoxRunClient({ socketPath: server.socketPath });
  await using box = await client.create("base", { memoryMb: 128 });
  const [bare, throughSdk]: [number[], number[]] = [[], []];
  for (let call = 0; call < calls; call += 1) {
    bare.push((await timed(() => collect(server.http.follow(box.id, ["true"])))).ms);
    throughSdk.push((await timed(() => box.exec(["true"], { check: true }))).ms);
  }
  const over = median(throughSdk) - median(bare);
  return {
    name: `exec true through the TypeScript SDK, median of ${calls}`,
    value: `${ms(median(throughSdk))}, ${ms(over)} over`,
    reference: `the same by bare HTTP, ${ms(median(bare))}`,
    bar: "3 ms over",
    held: over <= 3,
  };
}

/** Of the package as it is published. */
function importOverNode(): Figure {
  processMs([builder]);
  const [node, importing]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    node.push(processMs(["-e", "0"]));
    importing.push(processMs(["--input-type=module", "-e", `import ${JSON.stringify(built)}`]));
  }
  const over = median(importing) - median(node);
  return {
    name: `import "boxrun-sdk", median of ${rounds}`,
    value: `${ms(median(importing))}, ${ms(over)} over`,
    reference: `node -e 0, ${ms(median(node))}`,
    bar: "40 ms over",
    held: over <= 40,
  };
}

function processMs(args: readonly string[]): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const tookMs = performance.now() - begun;
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`);
  return tookMs;
}
