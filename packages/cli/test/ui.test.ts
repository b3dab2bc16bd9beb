import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
let dir: string;
let env: Record<string, string>;
beforeAll(async () => {
  cli = await CliWithServer.start({ token: "t0ken" });
  dir = await mkdtemp(join(tmpdir(), "boxrun-open-"));
  // The browser of the test: writes down what it is shown.
  await writeFile(
    join(dir, "xdg-open"),
    `#!/bin/sh\nprintf %s "$1" > '${dir}/new' && mv '${dir}/new' '${dir}/shown'\n`,
  );
  await chmod(join(dir, "xdg-open"), 0o755);
  env = { PATH: `${dir}:${process.env.PATH}`, DISPLAY: ":77", WAYLAND_DISPLAY: "", XDG_RUNTIME_DIR: dir };
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const base = () => `http://127.0.0.1:${cli.server.http.tcp?.port}`;

async function shown(): Promise<string> {
  const read = () => readFile(join(dir, "shown"), "utf8").catch(() => "");
  await expect.poll(read).not.toBe("");
  const text = await read();
  await rm(join(dir, "shown"));
  return text;
}

describe("ui", () => {
  it("opens the own server's dashboard, which knows this user without a link", async () => {
    const { code, stdout } = await cli.runWith({ env }, "ui");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(`${base()}/ui/\n`) });
    expect(await shown()).toBe(`${base()}/ui/`);
  });

  it("signs the browser in to another server, by a file that this user alone can read", async () => {
    const { code, stdout } = await cli.runWith(
      { env: { ...env, BOXRUN_TOKEN: "t0ken" } },
      "--host",
      base(),
      "ui",
      "--json",
    );
    expect(code).toBe(0);
    const { url, opened } = JSON.parse(stdout);
    expect(opened).toBe(true);
    expect(url).toMatch(new RegExp(`^${base()}/ui/#sign-in=[\\w-]{43}$`));
    const opens = await shown();
    expect(opens).toMatch(/^file:\/\//);
    expect(await readFile(fileURLToPath(opens), "utf8")).toContain(`url=${url}"`);
  });

  it("prints a link where there is no screen, or where one is asked for", async () => {
    const quiet = await cli.runWith({ env: { ...env, DISPLAY: "" } }, "ui");
    expect(quiet.stdout).toMatch(/^Open this in your browser\.\n/);
    const printed = await cli.runWith({ env }, "ui", "--print");
    expect(printed.stdout).toMatch(new RegExp(`^${base()}/ui/#sign-in=[\\w-]{43}$`, "m"));
    await expect(readFile(join(dir, "shown"))).rejects.toThrow("ENOENT");
  });

  it("says why there is no address for a browser", async () => {
    await using socketAlone = await CliWithServer.start({ tcp: null });
    const { code, stderr } = await socketAlone.run("ui");
    expect(code).toBe(125);
    expect(stderr).toContain("listens on its Unix socket alone");
  });
});
