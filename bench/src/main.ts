/**
 * `npm run bench -- [NAME…]`: each benchmark by itself, on a server and boxes of its own; exit code 1 if a bar does not hold. Names are those of bench/src/NAME.bench.ts.
 */
import { commandLine } from "@boxrun/host";
import { benchBoot } from "./boot.bench.ts";
import { benchBoxLite } from "./boxlite.bench.ts";
import { benchBurst } from "./burst.bench.ts";
import { benchCli } from "./cli.bench.ts";
import { benchDashboard } from "./dashboard.bench.ts";
import { benchDensity } from "./density.bench.ts";
import { benchExec } from "./exec.bench.ts";
import { type Figure, print } from "./figures.ts";
import { benchFiles } from "./files.bench.ts";
import { benchIdle } from "./idle.bench.ts";
import { benchKvm } from "./kvm.bench.ts";
import { benchLeaks } from "./leaks.bench.ts";
import { benchOutput } from "./output.bench.ts";
import { benchScale } from "./scale.bench.ts";
import { benchSdk } from "./sdk.bench.ts";

/** All of them, unless some are named. */
const benchmarks: Readonly<Record<string, () => Promise<Figure[]>>> = {
  boot: benchBoot,
  burst: benchBurst,
  cli: benchCli,
  dashboard: benchDashboard,
  density: benchDensity,
  exec: benchExec,
  output: benchOutput,
  files: benchFiles,
  idle: benchIdle,
  leaks: benchLeaks,
  scale: benchScale,
  sdk: benchSdk,
};

/** Only when asked for by name: they need more than any host has. */
const onRequest: typeof benchmarks = {
  // A /dev/kvm that works: docs/testing-boxlite.md says where to get one.
  boxlite: benchBoxLite,
  kvm: benchKvm,
};

const { positionals: wanted, refuse } = commandLine(import.meta.url, { operands: ["[NAME…]"] });
for (const name of wanted) {
  if (!Object.hasOwn({ ...benchmarks, ...onRequest }, name)) {
    refuse(`There is no benchmark ${name}; there are ${Object.keys({ ...benchmarks, ...onRequest }).join(", ")}`);
  }
}

let failed = 0;
for (const [name, benchmark] of Object.entries({ ...benchmarks, ...onRequest })) {
  if (wanted.length > 0 ? !wanted.includes(name) : Object.hasOwn(onRequest, name)) continue;
  const figures = await benchmark();
  print(name, figures);
  failed += figures.filter((figure) => !figure.held).length;
}
console.log(failed === 0 ? "\nEvery bar holds." : `\n${failed} bars do not hold.`);
process.exitCode = failed === 0 ? 0 : 1;
