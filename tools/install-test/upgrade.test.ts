import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultCacheDir } from "../../packages/host/src/cache-dir.ts";
import type { Ended } from "./machine.ts";
import { hasReleased, type ReleasedCheckout, released, releasedCheckout } from "./released.ts";

const checkout = join(import.meta.dirname, "../..");
const cacheDir = defaultCacheDir();
const log = (line: string) => process.stdout.write(` install  ${line}\n`);

let home: string;
let old: ReleasedCheckout;

function boxrun(dir: string, cache: string, args: readonly string[]): Promise<Ended> {
  const env = {
    ...{ HOME: home, PATH: process.env.PATH, NO_COLOR: "1", BOXRUN_PORT: "0" },
    ...{ BOXRUN_STATE_DIR: join(home, "state"), BOXRUN_CACHE_DIR: cache },
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(dir, "packages/cli/bin/boxrun.js"), ...args],
      { env, cwd: home },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

const before = (...args: readonly string[]) => boxrun(old.dir, old.cacheDir, args);
const now = (...args: readonly string[]) => boxrun(checkout, cacheDir, args);

async function told(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe(`the state directory of a BoxRun ${released.version}`, async () => {
  const isThere = await hasReleased();
  beforeAll(async () => {
    if (!isThere) return;
    home = await mkdtemp(join(tmpdir(), "br-upgrade-"));
    old = await releasedCheckout(cacheDir, log);
  }, 600_000);
  afterAll(async () => {
    if (!isThere) return;
    // Whichever of the two is the one that may.
    for (const end of [now, before]) {
      await end("rm", "--force", "dev");
      await end("server", "stop");
    }
    await rm(home, { recursive: true, force: true });
  });

  /** Counts until it is told to go, and says so. */
  const counting = 'i=0; until [ -e /root/go ]; do i=$((i+1)); echo "$i"; sleep 0.05; done; echo "end $i"; exit 7';

  test("is taken over with a box that runs and its command in flight, of whose output no byte is lost", async ({
    skip,
  }) => {
    if (!isThere) skip(`this clone's history does not have ${released.commit}`);
    await told(before("create", "base", "--name", "dev"));
    await told(before("exec", "dev", "--", "sh", "-c", "echo kept >/root/note"));
    const exec = (await told(before("exec", "--detach", "dev", "--", "sh", "-c", counting))).trim();
    await expect
      .poll(async () => (await told(before("logs", "dev", exec))).length, { timeout: 120_000 })
      .toBeGreaterThan(0);
    await told(before("server", "stop"));

    expect(JSON.parse(await told(now("ls", "--json")))).toMatchObject([{ name: "dev", status: "running" }]);
    expect(existsSync(join(home, "state/boxrun.db.backup"))).toBe(true);
    expect(await told(now("exec", "dev", "--", "cat", "/root/note"))).toBe("kept\n");
    await told(now("exec", "dev", "--", "touch", "/root/go"));
    expect(await now("wait", "dev", exec)).toMatchObject({ code: 7 });
    const lines = (await told(now("logs", "dev", exec))).trimEnd().split("\n");
    const count = lines.length - 1;
    expect(lines).toEqual([...Array.from({ length: count }, (_, index) => `${index + 1}`), `end ${count}`]);
    // By the new version's own agent from now on.
    await told(now("stop", "dev"));
    await told(now("start", "dev"));
    expect(await told(now("exec", "dev", "--", "cat", "/root/note"))).toBe("kept\n");
    await told(now("stop", "dev"));
  });

  test("is refused to that version afterwards, until it has the copy from before the upgrade back", async ({
    skip,
  }) => {
    if (!isThere) skip(`this clone's history does not have ${released.commit}`);
    await told(now("server", "stop"));
    const refused = await before("ls");
    expect(refused.code).toBe(125);
    expect(refused.stderr).toMatch(/written by a newer BoxRun.*Install the newer BoxRun again/s);
    const state = (name: string) => join(home, "state", name);
    await rename(state("boxrun.db.backup"), state("boxrun.db"));
    for (const end of ["-wal", "-shm"]) await rm(state(`boxrun.db${end}`), { force: true });
    expect(JSON.parse(await told(before("ls", "--json")))).toMatchObject([{ name: "dev" }]);
    await told(before("start", "dev"));
    expect(await told(before("exec", "dev", "--", "cat", "/root/note"))).toBe("kept\n");
  });
});
