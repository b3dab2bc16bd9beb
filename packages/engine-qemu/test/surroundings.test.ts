import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killAll, processRef, signalProcess } from "@boxrun/host";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { helpersOf, Surroundings } from "../src/vm/surroundings.ts";

const dir = mkdtempSync(join(tmpdir(), "bs-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function sleeper() {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const ref = child.pid === undefined ? undefined : processRef(child.pid);
  if (ref === undefined) throw new Error("sleep did not start");
  return ref;
}

/** What is told, one after the other. */
function ear() {
  const told: (string | undefined)[] = [];
  let wake: () => void = () => undefined;
  const hear = (trouble: string | undefined) => {
    told.push(trouble);
    wake();
  };
  const next = async () => {
    while (told.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return told.shift();
  };
  return { hear, next };
}

test("a network without passt, and a volume whose server is stopped or has ended, are told by their names, and what works again too", async () => {
  mkdirSync(join(dir, "s"));
  const [volume, network] = [sleeper(), sleeper()];
  const spec = { volumes: [{ hostPath: "/host", guestPath: "/data", readonly: false }], network: true };
  const { hear, next } = ear();
  const surroundings = new Surroundings(helpersOf(spec, [volume, network], dir), hear, 5);
  onTestFinished(() => surroundings.close());

  writeFileSync(join(dir, "s/net.state"), "passt ended:\u001b[31m no route\n");
  expect(await next()).toBe("the network does not work: passt ended: [31m no route; it is tried again all the time");
  writeFileSync(join(dir, "s/net.state"), "");
  expect(await next()).toBeUndefined();
  signalProcess(volume, "SIGSTOP");
  expect(await next()).toBe(
    `the volume /data does not work: the process that serves it was stopped by the host; \`kill -CONT ${volume.pid}\` lets it go on`,
  );
  signalProcess(volume, "SIGCONT");
  expect(await next()).toBeUndefined();
  await killAll([volume]);
  expect(await next()).toBe(
    "the volume /data does not work: the process that serves it has ended; stop the box and start it again",
  );
  await killAll([network]);
  expect(await next()).toMatch(
    /^the volume \/data does not work: .*; the network does not work: the process that serves it has/,
  );
  expect(surroundings.trouble).toContain("/data");
});

test("the helpers of a box that an earlier BoxRun started have no state, and nothing is wrong with them", async () => {
  const network = sleeper();
  const { hear, next } = ear();
  const earlier = join(dir, "earlier");
  const surroundings = new Surroundings(helpersOf({ volumes: [], network: true }, [network], earlier), hear, 5);
  onTestFinished(() => surroundings.close());
  await killAll([network]);
  // That there is no file was no trouble, or it would have been told first.
  expect(await next()).toContain("has ended");
});
