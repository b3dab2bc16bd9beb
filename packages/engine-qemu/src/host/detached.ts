import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { BoxRunError } from "@boxrun/contract";
import { boxDirVariable, keepTail, type ProcessRef, processRef } from "@boxrun/host";

/** A process of a box: in a session of its own, so that it outlives the server. */
export interface DetachedProcess {
  readonly ref: ProcessRef;
  /** Resolves when it ends while this server is there: with how, and its last words. */
  readonly ended: Promise<string>;
}

/** Starts one with the box's directory as its working directory. RUNTIME_ERROR if the program can't be started. */
export async function spawnDetached(
  program: string,
  args: readonly string[],
  boxDir: string,
): Promise<DetachedProcess> {
  const child = spawn(program, args, {
    cwd: boxDir,
    detached: true,
    // Its last words are read while somebody reads; nothing that it writes becomes a file.
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH ?? "", LANG: "C", [boxDirVariable]: boxDir },
  });
  const errors = keepTail(child.stderr, 4096);
  const ended = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => {
      const how = signal === null ? `ended with ${code}` : `was killed by ${signal}`;
      const words = errors.text();
      resolve(words === "" ? how : `${how}: ${words}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new BoxRunError("RUNTIME_ERROR", `start ${program}: ${error.message}`, { cause: error })),
    );
  });
  child.on("error", () => undefined);
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  const ref = child.pid === undefined ? undefined : processRef(child.pid);
  if (ref === undefined) throw new BoxRunError("RUNTIME_ERROR", `start ${program}: it ${await ended}`);
  return { ref, ended };
}
