import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type UnitOptions, unitText } from "../src/service/unit.ts";
import { boxrun } from "./support/cli.ts";

const run = promisify(execFile);
const analyze = "/usr/bin/systemd-analyze";

const options: UnitOptions = {
  scope: "system",
  command: [process.execPath, "/a path/with%percent $dollar", "serve"],
  environment: { PATH: "/usr/bin" },
  hasKvmGroup: false,
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-service-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("the unit", () => {
  it("means the very words that it is given", () => {
    expect(unitText(options)).toContain('"/a path/with%%percent $$dollar" serve\n');
  });

  it("ends the server alone, and a box that has no memory left ends nothing else", () => {
    for (const scope of ["user", "system"] as const) {
      expect(unitText({ ...options, scope })).toMatch(/^KillMode=process\n(.*\n)*OOMPolicy=continue$/m);
    }
  });

  it.skipIf(!existsSync(analyze))(
    "is one that systemd understands, and not too exposed for a system service",
    async () => {
      for (const scope of ["user", "system"] as const) {
        const file = join(dir, "boxrun.service");
        await writeFile(file, unitText({ ...options, scope, command: [process.execPath, "serve"] }));
        const { stderr } = await run(analyze, ["verify", "--recursive-errors=no", file], {
          env: { ...process.env, LC_ALL: "C" },
        });
        expect(stderr).toBe("");
      }
      // Its own verdict: 5.0 and less is OK. Boxes need namespaces, devices and the network.
      await run(analyze, ["security", "--offline=true", "--threshold=50", join(dir, "boxrun.service")]);
    },
  );
});

describe("server install", () => {
  /** A systemctl that writes down how it was called. */
  async function environment(script = "exit 0") {
    await writeFile(join(dir, "systemctl"), `#!/bin/sh\necho "$@" >>'${dir}/calls'\n${script}\n`);
    await chmod(join(dir, "systemctl"), 0o755);
    return {
      PATH: dir,
      XDG_CONFIG_HOME: join(dir, "config"),
      BOXRUN_STATE_DIR: join(dir, "state"),
      BOXRUN_TOKEN: "secret",
    };
  }
  const calls = async () => (await readFile(join(dir, "calls"), "utf8")).trim().split("\n");
  const unit = () => join(dir, "config/systemd/user/boxrun.service");

  it("writes the user's unit and starts it, without a token in it; uninstall takes it away", async () => {
    const env = await environment();
    const { code, stdout } = await boxrun(["server", "install"], { env });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining(`${unit()} is installed and started`),
    });
    const text = await readFile(unit(), "utf8");
    expect(text).toContain(`Environment=BOXRUN_STATE_DIR=${join(dir, "state")}\n`);
    expect(text).not.toContain("secret");
    const installed = ["--user daemon-reload", "--user enable boxrun.service", "--user restart boxrun.service"];
    expect(await calls()).toEqual(installed);
    expect(await boxrun(["server", "uninstall"], { env })).toMatchObject({
      code: 0,
      stdout: `${unit()} is removed.\n`,
    });
    expect(existsSync(unit())).toBe(false);
    expect(await calls()).toEqual([...installed, "--user disable --now boxrun.service", "--user daemon-reload"]);
    expect(await boxrun(["server", "uninstall"], { env })).toMatchObject({
      code: 0,
      stdout: `There is no ${unit()}.\n`,
    });
  });

  it("with --dry-run shows the unit and does nothing", async () => {
    const { stdout } = await boxrun(["server", "install", "--dry-run"], { env: await environment() });
    expect(stdout).toMatch(/^# .*boxrun\.service\n\[Unit\]\n/);
    expect(existsSync(unit())).toBe(false);
    expect(existsSync(join(dir, "calls"))).toBe(false);
  });

  it("says that systemd has failed, and what to do where there is none", async () => {
    const failing = await boxrun(["server", "install"], { env: await environment("echo no bus >&2; exit 1") });
    expect(failing.code).toBe(125);
    expect(failing.stderr).toMatch(/no bus\nError: server install: `systemctl --user daemon-reload` failed; its own/);
    await rm(join(dir, "systemctl"));
    const without = await boxrun(["server", "install"], {
      env: { PATH: dir, XDG_CONFIG_HOME: dir, BOXRUN_STATE_DIR: join(dir, "s") },
    });
    expect(without.code).toBe(125);
    expect(without.stderr).toMatch(/^Error: server install: There is no systemd.*\nHint: .*`boxrun serve`/);
  });
});
