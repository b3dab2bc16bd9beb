import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fields, table } from "../src/output/table.ts";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
let first: string;
beforeAll(async () => {
  cli = await CliWithServer.start();
  first = await cli.createBox("first");
  await cli.createBox("second");
  await cli.run("stop", "second");
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("formats of ls", () => {
  it.each([
    [["-q", "-s", "running"], () => `${first}\n`],
    [["--format", "{{.name}}\\t{{.status | upper}}"], () => "second\tSTOPPED\nfirst\tRUNNING\n"],
    [["--format", "{{json .name}}"], () => '"second"\n"first"\n'],
    [["--format", "table {{.name}}\\t{{.cpu}}"], () => "NAME    CPU\nsecond  1\nfirst   1\n"],
    [["--filter", "name=f*", "--format", "{{.name}}"], () => "first\n"],
    [["-f", "status=stopped", "-f", "status=error", "--format", "{{.name}}"], () => "second\n"],
    [["-f", "network=on", "-q"], () => ""],
  ])("%j", async (args, expected) => {
    expect(await cli.run("ls", ...args)).toMatchObject({ code: 0, stdout: expected(), stderr: "" });
  });

  it("are YAML too, also of images and inspected boxes", async () => {
    expect((await cli.run("ls", "--format", "yaml")).stdout).toMatch(/^- id: box_.*\n {2}name: second\n/);
    expect((await cli.run("images", "ls", "--format", "yaml")).stdout).toMatch(/^- reference: base\n/);
    expect((await cli.run("inspect", "--format", "{{.box.status}}", "first")).stdout).toBe("running\n");
  });

  it.each([
    [["--format", "{{.nmae}}"], /there is no field \.nmae; there are \.id, \.name/],
    [["--format", "{{.name | shout}}"], /there is no function "shout"; there are json, upper/],
    [["--format", "{{.name"], /`\{\{` without `\}\}`/],
    [["--format", "xml"], /there is no such format/],
    [["--format", "yaml", "--json"], /--json is --format json/],
    [["--filter", "nmae=x"], /KEY one of id, name, status/],
    [["--filter", "status=runing"], /A status is one of creating, running/],
    [["--watch", "-q"], /--watch shows a table/],
  ])("refuses %j", async (args, message) => {
    expect(await cli.run("ls", ...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
  });
});

describe("a table", () => {
  const columns = [
    { head: "ID", cell: (row: readonly string[]) => row[0] ?? "" },
    { head: "IMAGE", cell: (row: readonly string[]) => row[1] ?? "", yields: 1, minWidth: 6 },
    { head: "DISK", cell: (row: readonly string[]) => row[2] ?? "", yields: 2 },
  ];
  it.each([
    [undefined, "ID  IMAGE       DISK\nx   long-image  1\n"],
    [18, "ID  IMAGE     DISK\nx   long-im…  1\n"],
    [10, "ID  IMAGE\nx   long-…\n"],
    [5, "ID\nx\n"],
  ])("%s columns wide", (fit, expected) => {
    expect(table(columns, [["x", "long-image", "1"]], fit)).toBe(expected);
  });

  it("measures wide characters as a terminal does", () => {
    expect(table(columns, [["箱子", "a", "1"]])).toBe("ID    IMAGE  DISK\n箱子  a      1\n");
  });
});

describe("a list of fields", () => {
  const entries = [
    ["why", "the kernel said no: 不可以 and no again"],
    ["digest", "sha256:0123456789abcdef0123456789"],
  ] as const;
  it.each([
    [undefined, "why     the kernel said no: 不可以 and no again\ndigest  sha256:0123456789abcdef0123456789\n"],
    [
      26,
      "why     the kernel said\n        no: 不可以 and no\n        again\ndigest  sha256:0123456789abcdef0123456789\n",
    ],
  ])("%s columns wide", (fit, expected) => {
    expect(fields(entries, fit)).toBe(expected);
  });
});
