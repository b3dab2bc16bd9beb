import { randomBytes } from "node:crypto";
import type { BoxDeath, BoxSpec, Engine, ExecSpec } from "@boxrun/core";
import type { TestHost } from "./host.ts";

export const never = (): AbortSignal => new AbortController().signal;
export const newId = (kind: "box" | "exec") => `${kind}_${randomBytes(9).toString("base64url")}`;

export function boxSpec(host: TestHost, changes: Partial<BoxSpec> = {}): BoxSpec {
  return {
    id: newId("box"),
    hostname: "box",
    workdir: "/root",
    image: host.image,
    cpu: 1,
    memoryMb: 256,
    diskSizeGb: 1,
    network: false,
    volumes: [],
    ...changes,
  };
}

export async function create(engine: Engine, spec: BoxSpec): Promise<void> {
  await engine.create(spec, { signal: never(), onEngineId: () => undefined });
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shell script, as root in /. */
export function shSpec(script: string): ExecSpec {
  return {
    id: newId("exec"),
    cmd: ["sh", "-c", script],
    env: {},
    workdir: "/",
    user: null,
    stdin: false,
    tty: null,
    timeoutMs: null,
  };
}

/** Runs a shell script in a box to its end. */
export async function sh(engine: Engine, boxId: string, script: string): Promise<Ended> {
  const exec = await engine.exec(boxId, shSpec(script));
  const text = { stdout: "", stderr: "" };
  const stored = { stdout: 0, stderr: 0 };
  for await (const { stream, offset, data } of exec.output) {
    text[stream] += Buffer.from(data).toString("utf8");
    stored[stream] = offset + data.length;
    exec.acknowledge(stored);
  }
  return { code: (await exec.exit).code, ...text };
}

/** To 50 ms, as far as can be told from here: it is asked for somewhere between two looks at the host's clock. */
export async function clockIsRight(engine: Engine, id: string): Promise<boolean> {
  const before = Date.now();
  // busybox's date has whole seconds only.
  const { stdout } = await sh(engine, id, "touch /dev/shm/now; stat -c %y /dev/shm/now");
  const said = Date.parse(`${stdout.slice(0, 23).replace(" ", "T")}Z`);
  return said > before - 50 && said < Date.now() + 50;
}

/** The next death that the engine tells. */
export function nextDeath(engine: Engine): Promise<BoxDeath> {
  return new Promise((resolve) => {
    const off = engine.onDeath((death) => {
      off();
      resolve(death);
    });
  });
}
