/**
 * A server that is about to be killed: makes a box, and says on standard output how far it is.
 * Arguments: state directory, cache directory, the box's spec as JSON, an exec id.
 */
import { type BoxSpec, silentLogger } from "@boxrun/core";
import { createQemuEngine } from "../../src/index.ts";
import { templateCacheMb } from "./host.ts";

const [stateDir = "", cacheDir = "", specText = "", execId = ""] = process.argv.slice(2);
const spec: BoxSpec = JSON.parse(specText);
const engine = createQemuEngine({ stateDir, cacheDir, logger: silentLogger, templateCacheMb: templateCacheMb() });
const say = (what: string) => process.stdout.write(`${what}\n`);
await engine.create(spec, { signal: new AbortController().signal, onEngineId: () => say("began") });
const script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; sleep 3; echo end; exit 7";
const exec = await engine.exec(spec.id, {
  id: execId,
  cmd: ["sh", "-c", script],
  env: {},
  workdir: "/",
  user: null,
  stdin: false,
  tty: null,
  timeoutMs: null,
});
for await (const { offset, data } of exec.output) {
  if (offset + data.length < 1000) continue;
  say(`read ${offset + data.length}`);
  break;
}
