import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start({ tcp: null });
});
afterAll(() => cli[Symbol.asyncDispose]());

const box = (name: string) => cli.server.core.boxes.get(name);
const create = (name: string, ...args: string[]) =>
  cli.run("create", "base", "-n", name, "--cpu", "1", "-m", "64", ...args);

/** In minutes from now. */
const left = (name: string) => (Date.parse(box(name).expires_at ?? "") - Date.now()) / 60_000;

describe("--ttl", () => {
  it("says when a box is stopped, and with --rm removed; extend says otherwise", async () => {
    expect((await create("short", "--ttl", "2h")).code).toBe(0);
    expect(box("short").on_expiry).toBe("stop");
    expect(left("short")).toBeCloseTo(120, -1);
    expect((await create("gone", "--ttl", "90m", "--rm")).code).toBe(0);
    expect(box("gone").on_expiry).toBe("remove");
    expect((await cli.run("inspect", "gone")).stdout).toMatch(/^expires +\d{4}-.*, and is removed$/m);

    const extended = await cli.run("extend", "short", "1d", "--rm");
    expect(extended.stdout).toBe(`${box("short").expires_at}\n`);
    expect(left("short")).toBeCloseTo(24 * 60, -1);
    expect(box("short").on_expiry).toBe("remove");
    expect((await cli.run("extend", "short", "never")).stdout).toBe("never\n");
    expect(box("short").expires_at).toBeUndefined();
    expect((await cli.run("extend", "short", "soon")).stderr).toContain("or never");
  });

  it("is what --rm of create needs", async () => {
    const refused = await create("no", "--rm");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("--rm without --ttl");
  });
});

describe("--label", () => {
  it("labels boxes, and ls picks them by it", async () => {
    await create("web", "--label", "team=ci", "-l", "tier=web");
    await create("db", "-l", "team=ci", "-l", "tier=db");
    const names = async (...filters: string[]) => {
      const { stdout } = await cli.run("ls", "--format", "{{.name}}", ...filters.flatMap((filter) => ["-f", filter]));
      return stdout.split("\n").filter((name) => name !== "");
    };
    expect(await names("label=team=ci")).toEqual(["db", "web"]);
    expect(await names("label=team", "label=tier=w*")).toEqual(["web"]);
    expect(await names("label=tier=web", "label=tier=db")).toEqual(["db", "web"]);
    expect(await names("label=team=dev")).toEqual([]);
    const { stdout } = await cli.run("ls", "-f", "name=web", "--format", "{{.labels.team}} {{.labels | json}}");
    expect(stdout).toBe('ci {"team":"ci","tier":"web"}\n');
    const client = cli.server.core.boxes.page({}, undefined, { tier: "db" });
    expect(client.items.map(({ name }) => name)).toEqual(["db"]);
  });
});
