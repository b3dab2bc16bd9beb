import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { versionAt, versionPlaces } from "../release/version.ts";

test("one version stands everywhere, that of the checkout's own package.json", () => {
  const [first] = versionPlaces();
  const version = first === undefined ? undefined : versionAt(first);
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  for (const place of versionPlaces()) expect(versionAt(place), place.file).toBe(version);
});

test("the changelog says what is new, in this version or in the next one", () => {
  const changelog = readFileSync(new URL("../../CHANGELOG.md", import.meta.url), "utf8");
  const [newest = ""] = /^## .*$/m.exec(changelog) ?? [];
  const [first] = versionPlaces();
  const version = first === undefined ? "" : versionAt(first);
  expect(["## Unreleased", `## ${version}`]).toContain(newest);
});
