import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { afterAll, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { type GuestPackage, guestPackageAt, installedGuest, locatePart } from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "gp-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const name = "@boxrun/guest-linux-x64";

function directory(path: string, files: Readonly<Record<string, string>>): string {
  const target = join(dir, path);
  mkdirSync(join(target, "agent"), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(target, file), text);
  return target;
}

function locate(cacheDir: string, guest: GuestPackage): string {
  const read = (root: string) => readFileSync(join(root, "part"), "utf8");
  return locatePart({ operation: "find the part", folder: "agent", cacheDir, read }, guest);
}

const packageDir = directory("package", {
  "package.json": JSON.stringify({ version: packageJson.version }),
  "agent/part": "packed",
});
const guest = guestPackageAt(name, packageDir);
const empty = directory("empty", {});

test("what a checkout built wins over the package, and the package serves where nothing was built", () => {
  expect(locate(directory("built", { "agent/part": "built" }), guest)).toBe("built");
  expect(locate(empty, guest)).toBe("packed");
});

test("a package of another version is refused, and the error says how to get one that fits", () => {
  const other = guestPackageAt(
    name,
    directory("other", { "package.json": '{"version":"9.9.9"}', "agent/part": "new" }),
  );
  expect(() => locate(empty, other)).toThrow(
    `the npm package ${name} is 9.9.9 where this boxrun is ${packageJson.version}; install both anew: \`npm install --global boxrun@${packageJson.version}\``,
  );
});

test("with neither, the error names the package and what builds it, and so it does for a package with nothing in it", () => {
  const hollow = guestPackageAt(name, directory("hollow", { "package.json": JSON.stringify(packageJson) }));
  for (const none of [hollow, { kind: "missing", name } as const]) {
    expect(() => locate(empty, none)).toThrow(BoxRunError);
    expect(() => locate(empty, none)).toThrow(
      /find the part: none is built in .*empty.*@boxrun\/guest-linux-x64.*npm run setup/,
    );
  }
});

test("on a host for which there is no guest, it says on which boxes run, and nothing of packages that would not help", () => {
  const none = installedGuest({ platform: "linux", arch: "arm64" });
  expect(() => locate(empty, none)).toThrow(
    /^find the part: boxes run on Linux on x64, and this is linux on arm64; .*`boxrun context add`$/,
  );
});
