import { copyFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultCacheDir } from "../../packages/host/src/cache-dir.ts";
import { makeArchive, makeDeb } from "../release/bundle.ts";
import { type Ended, Machine } from "./machine.ts";
import { packAll, withVersion } from "./packages.ts";
import { Registry } from "./registry.ts";
import { pristineRoot } from "./root.ts";

const cacheDir = defaultCacheDir();
const log = (line: string) => process.stdout.write(` install  ${line}\n`);

let scratch: string;
let registry: Registry;
let tarballs: readonly string[];

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error("a clean machine is made by root: run this as root");
  scratch = await mkdtemp(join(tmpdir(), "br-clean-"));
  registry = await Registry.start(cacheDir, join(scratch, "registry"));
  log("packing boxrun and its guest");
  tarballs = await packAll(join(scratch, "packed"), log);
  await registry.publish(tarballs);
}, 600_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

async function succeeds(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr: code === 0 ? "" : stderr, stdout: code === 0 ? "" : stdout }).toEqual({
    ...{ code: 0, stderr: "", stdout: "" },
  });
  return stdout;
}

// QEMU 7.2 and 10. The second finds the first one's newer version, and upgrades that to a newer one still.
describe.each([
  ["bookworm", "9.9.8"],
  ["trixie", "9.9.9"],
])("on a clean Debian %s", (suite, newerVersion) => {
  let machine: Machine;
  beforeAll(async () => {
    const pristine = await pristineRoot({ cacheDir, suite, log, signal: new AbortController().signal });
    machine = await Machine.boot(pristine, join(scratch, suite), join(cacheDir, "test", "install", `apt-${suite}`));
    await machine.putNode();
    expect(await machine.run("root", "useradd --create-home tester")).toMatchObject({ code: 0 });
  }, 600_000);
  afterAll(() => machine?.[Symbol.asyncDispose]());

  const user = (command: string) => machine.run("tester", command);
  test("npm installs boxrun, which says what is missing, in two lines", async () => {
    await succeeds(user(`npm config set registry ${registry.url}/ && npm config set prefix ~/.npm-global`));
    await succeeds(user("npm install --global boxrun"));
    const told = await user("boxrun run base -- echo hi");
    expect(told).toMatchObject({ code: 125, stdout: "" });
    const lines = told.stderr.trimEnd().split("\n").slice(-2);
    expect(lines[0]).toMatch(/^Error: .*the program \S+ is missing \(.*\); `boxrun setup` says how to get it$/);
    expect(lines[1]).toMatch(/^Hint: /);
    const setup = await user("boxrun setup");
    expect(setup.code).toBe(1);
    // There is no sudo here.
    expect(setup.stdout).toMatch(
      /^To install, as root:\n {2}apt-get update && apt-get install --yes .*qemu-system-x86 /m,
    );
    expect(await user("boxrun setup --yes")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("neither sudo nor doas"),
    });
  });

  test("without qemu, setup as root installs all that is missing", async () => {
    await succeeds(machine.run("root", "boxrun setup --yes"));
    const told = await succeeds(user("boxrun setup"));
    expect(told).toMatch(/^All programs that boxes need are here\.\nA first VM was booted: /);
    expect(await succeeds(user("boxrun setup"))).toMatch(/\nA first VM has been booted before: /);
  });

  test("a normal user runs a box", async () => {
    expect(await succeeds(user("boxrun run base -- echo hi"))).toBe("hi\n");
    const checks: { status: string }[] = JSON.parse(await succeeds(user("boxrun doctor --json")));
    expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
    expect(checks).toContainEqual(expect.objectContaining({ name: "confinement", status: "ok" }));
    expect(checks).toContainEqual(
      expect.objectContaining({ name: "guest kernel", message: expect.stringContaining("@boxrun/guest-linux-x64") }),
    );
  });

  test("create, exec and cp work, and an upgrade by npm leaves the box running", async () => {
    await succeeds(user("boxrun create base --name dev"));
    await succeeds(user("echo kept >note && boxrun cp note dev:/root/"));
    const { version: before } = JSON.parse(await succeeds(user("boxrun info --json")));
    await registry.publish(await withVersion(tarballs, newerVersion, join(scratch, `newer-${suite}`)));
    const upgraded = await user("boxrun upgrade --yes");
    expect(upgraded).toMatchObject({ code: 0, stdout: `boxrun ${before} → ${newerVersion}\n` });
    expect(upgraded.stderr).toContain("`boxrun server stop`");
    await succeeds(user("boxrun server stop"));
    expect(await succeeds(user("boxrun exec dev -- cat /root/note"))).toBe("kept\n");
    expect(JSON.parse(await succeeds(user("boxrun info --json")))).toMatchObject({ version: newerVersion });
    await succeeds(user("boxrun rm --force dev"));
  });

  test("uninstalled, it leaves nothing: no process, no file", async () => {
    await succeeds(user("boxrun create base --name left"));
    await succeeds(user("boxrun uninstall --purge --yes"));
    const home = await readdir(join(machine.root, "home/tester"), { recursive: true });
    expect(home.filter((path) => /boxrun/i.test(path) && !path.startsWith(".npm/"))).toEqual([]);
    const processes = await succeeds(machine.run("root", "cat /proc/[0-9]*/comm | sort -u"));
    expect(
      processes
        .trim()
        .split("\n")
        .filter((name) => /qemu|node|boxrun|passt|virtiofsd/.test(name)),
    ).toEqual([]);
  });
});

test("every line of README's Install section works as it is typed, by root on a clean Debian trixie", async () => {
  const pristine = await pristineRoot({ cacheDir, suite: "trixie", log, signal: new AbortController().signal });
  const aptCache = join(cacheDir, "test", "install", "apt-trixie");
  await using machine = await Machine.boot(pristine, join(scratch, "readme"), aptCache);
  await machine.putNode();
  await succeeds(machine.run("root", `npm config set registry ${registry.url}/`));
  const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
  const lines = /^## Install\n[^`]*```sh parse\n([^`]*)```/m.exec(readme)?.[1]?.trim().split("\n") ?? [];
  expect(lines[0]).toBe("npm install --global boxrun");
  const printed: string[] = [];
  for (const line of lines) printed.push(await succeeds(machine.run("root", line)));
  expect(printed[lines.findIndex((line) => line.startsWith("boxrun run "))]).toBe("hello\n");
  expect(lines.at(-1)).toMatch(/^boxrun server stop/);
  expect(printed.at(-1)).toMatch(/^Stopped the BoxRun server/);
});

describe("on a clean Debian bookworm without Node", () => {
  let machine: Machine;
  beforeAll(async () => {
    const pristine = await pristineRoot({ cacheDir, suite: "bookworm", log, signal: new AbortController().signal });
    machine = await Machine.boot(
      pristine,
      join(scratch, "nodeless"),
      join(cacheDir, "test", "install", "apt-bookworm"),
    );
    expect(await machine.run("root", "useradd --create-home tester")).toMatchObject({ code: 0 });
    const [guest = "", boxrun = ""] = tarballs;
    const files = join(machine.root, "srv");
    await makeArchive({ version: "0.0.1", boxrun, guest }, files, join(scratch, "archive"));
    await makeDeb({ version: "0.0.1", boxrun, guest }, files, join(scratch, "deb"));
    await copyFile(join(import.meta.dirname, "../release/install.sh"), join(files, "install.sh"));
  }, 600_000);
  afterAll(() => machine?.[Symbol.asyncDispose]());

  const user = (command: string) => machine.run("tester", command);

  test("the Debian package brings what boxes need, and a user runs one; removed, it leaves nothing of its own", async () => {
    await succeeds(
      machine.run(
        "root",
        "apt-get update && apt-get install --yes --no-install-recommends /srv/boxrun_0.0.1_amd64.deb",
      ),
    );
    expect(await succeeds(user("/usr/bin/boxrun run base -- echo hi"))).toBe("hi\n");
    expect(await succeeds(user("boxrun upgrade --dry-run"))).toContain("apt-get install ./boxrun_");
    expect(await succeeds(user("boxrun uninstall --purge --yes"))).toBe("Done.\n");
    await succeeds(machine.run("root", "apt-get remove --yes boxrun"));
    expect(await readdir(join(machine.root, "usr/lib"))).not.toContain("boxrun");
  });

  test("install.sh refuses an archive with another sum, and installs the right one for a user", async () => {
    const archive = "boxrun-0.0.1-linux-x64.tar.gz";
    await succeeds(machine.run("root", `cd /srv && printf '%064d  ${archive}\\n' 0 >SHA256SUMS`));
    const refused = await user("sh /srv/install.sh");
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was installed") });
    expect(await user("ls .local")).toMatchObject({ code: 2 });
    await succeeds(machine.run("root", "cd /srv && sha256sum *.tar.gz >SHA256SUMS"));
    expect(await succeeds(user("sh /srv/install.sh"))).toContain("is installed: /home/tester/.local/bin/boxrun");
    // A second time replaces it.
    await succeeds(user("sh /srv/install.sh"));
    const boxrun = "~/.local/bin/boxrun";
    expect(await succeeds(user(`${boxrun} run base -- echo hi`))).toBe("hi\n");
    const left = await user(`${boxrun} uninstall --purge --yes`);
    expect(left).toMatchObject({ code: 0, stderr: expect.stringContaining("rm -r /home/tester/.local/lib/boxrun") });
  });
});
