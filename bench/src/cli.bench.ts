import { spawnSync } from "node:child_process";
import { cliPath, TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, median, ms } from "./figures.ts";

const rounds = 60;
const boxes = 3;

/** What the command's start costs over Node's own, each a process from its start to its end. Turn and turn about. */
export async function benchCli(): Promise<Figure[]> {
  await using server = await TestServer.start();
  for (let n = 0; n < boxes; n += 1) await server.http.createBox({ name: `listed-${n}`, memory_mb: 128 });
  const node = ["-e", "0"];
  const version = [cliPath, "--version"];
  const ls = [cliPath, "ls"];
  const timesMs = new Map([node, version, ls].map((args): [string[], number[]] => [args, []]));
  // Compiled modules are kept from the first time on.
  for (const args of timesMs.keys()) processMs(args, server.env);
  for (let round = 0; round < rounds; round += 1) {
    for (const [args, times] of timesMs) times.push(processMs(args, server.env));
  }
  const medianOf = (args: string[]) => median(timesMs.get(args) ?? []);
  const figure = (name: string, args: string[], barMs: number): Figure => {
    const [took, reference] = [medianOf(args), medianOf(node)];
    return {
      name: `${name}, median of ${rounds}`,
      value: `${ms(took)}, ${ms(took - reference)} over, ${(took / reference).toFixed(2)} ×`,
      reference: `node -e 0, ${ms(reference)}`,
      bar: `${barMs} ms over`,
      held: took - reference <= barMs,
    };
  };
  return [figure("boxrun --version", version, 80), figure(`boxrun ls of ${boxes} boxes`, ls, 150)];
}

/** Its output goes to a pipe, as in a script. */
function processMs(args: readonly string[], env: NodeJS.ProcessEnv): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const tookMs = performance.now() - begun;
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`);
  return tookMs;
}
