import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { parseLocation, wantedAs } from "../src/copy/location.ts";
import { environmentEntry } from "../src/environment-options.ts";
import { positiveInteger, volume } from "../src/options.ts";
import { table } from "../src/output/table.ts";
import { age, bytes, printable } from "../src/output/text.ts";
import { resolveTarget } from "../src/target.ts";
import { gigabytes, megabytes, seconds, secondsFromZero } from "../src/units.ts";
import { separateProgram } from "../src/verb.ts";

describe("what belongs to the program", () => {
  const { options } = new Command().option("-e, --env <x>").option("-i, --interactive").option("-d, --detach");
  it.each([
    ["dev ls -l", "dev -- ls -l"],
    ["-e A=1 dev ls -e", "-e A=1 dev -- ls -e"],
    ["dev -e A=1 ls", "dev -e A=1 -- ls"],
    ["dev --env A=1 -i ls -i", "dev --env A=1 -i -- ls -i"],
    ["dev --env=A=1 ls", "dev --env=A=1 -- ls"],
    ["-ie A=1 dev ls", "-ie A=1 dev -- ls"],
    ["-eA=1 dev ls", "-eA=1 dev -- ls"],
    ["dev -- ls -- x", "dev -- ls -- x"],
    ["-- dev ls", "-- dev ls"],
    ["dev -", "dev -- -"],
    ["dev", "dev"],
    ["", ""],
  ])("in %j", (argv, expected) => {
    const words = (text: string) => (text === "" ? [] : text.split(" "));
    expect(separateProgram(options, words(argv))).toEqual(words(expected));
  });
});

describe("option values", () => {
  it.each([
    ["/a:/b", { host_path: "/a", guest_path: "/b", readonly: false }],
    ["/a:/b:ro", { host_path: "/a", guest_path: "/b", readonly: true }],
    ["/a:/b:rw", { host_path: "/a", guest_path: "/b", readonly: false }],
    ["/with:colon:/b:ro", { host_path: "/with:colon", guest_path: "/b", readonly: true }],
  ])("volume %s", (text, expected) => {
    expect(volume(text)).toEqual([expected]);
  });
  it.each(["", "/a", "/a:b", ":/b", "/a:/b:xx"])("no volume %j", (text) => {
    expect(() => volume(text)).toThrow("HOST:GUEST");
  });
  it.each(["0", "-1", "1.5", "x", "", "1e3", "9".repeat(20)])("no positive integer %j", (text) => {
    expect(() => positiveInteger(text)).toThrow("whole number");
  });
  it.each(["0", "-1", "x", "", "Infinity"])("no number of seconds %j", (text) => {
    expect(() => seconds(text)).toThrow("seconds");
  });
  it.each([
    ["90", 90],
    ["0.5", 0.5],
    ["90s", 90],
    ["5m", 300],
    ["1h30m", 5400],
    ["2d", 172_800],
    ["250ms", 0.25],
  ])("%s are so many seconds: %d", (text, expected) => expect(seconds(text)).toBe(expected));
  it.each(["1y", "h", "1h 30m", "1hx", "-1s", "s5", "1e3s"])("no time %j", (text) => {
    expect(() => seconds(text)).toThrow("in seconds, or with a unit");
    expect(() => secondsFromZero(text)).toThrow("in seconds, or with a unit");
  });
  it.each([
    ["512", 512],
    ["512m", 512],
    ["512MB", 512],
    ["2g", 2048],
    ["2GiB", 2048],
    ["1.5g", 1536],
  ])("%s are so many MB: %d", (text, expected) => expect(megabytes(text)).toBe(expected));
  it.each(["0", "", "g", "-1g", "512k", "0.3m", "1.0001g", "2gg", "1 g"])("no memory %j", (text) => {
    expect(() => megabytes(text)).toThrow("of MB above 0, or have a unit");
  });
  it.each([
    ["20", 20],
    ["20g", 20],
    ["1t", 1024],
    ["2048m", 2],
  ])("%s are so many GB: %d", (text, expected) => expect(gigabytes(text)).toBe(expected));
  it.each(["0", "", "512m", "0.5g", "1x"])("no disk %j", (text) => {
    expect(() => gigabytes(text)).toThrow("of GB above 0, or have a unit");
  });
  it("variables add up, and a name alone must be set here", () => {
    expect(environmentEntry("B=", environmentEntry("A=x=y"))).toEqual({ A: "x=y", B: "" });
    expect(() => environmentEntry("NO_SUCH_VARIABLE_HERE")).toThrow("NO_SUCH_VARIABLE_HERE");
    expect(() => environmentEntry("=x")).toThrow("NAME=VALUE");
  });
});

describe("ends of a copy", () => {
  it.each([
    ["-", { kind: "stdio" }],
    ["dev:/x", { kind: "box", box: "dev", path: "/x" }],
    ["box_abc-DEF_1234:x:y", { kind: "box", box: "box_abc-DEF_1234", path: "x:y" }],
    ["dev:", { kind: "box", box: "dev", path: "" }],
    ["./a:b", { kind: "host", path: "./a:b" }],
    ["/a:b", { kind: "host", path: "/a:b" }],
    ["a", { kind: "host", path: "a" }],
    ["a/b:c", { kind: "host", path: "a/b:c" }],
  ])("%j", (text, expected) => {
    expect(parseLocation(text)).toEqual(expected);
  });
  it.each([
    ["a", "named"],
    ["a/", "directory"],
    ["", "directory"],
    ["a/.", "content"],
    [".", "content"],
    ["a.", "named"],
  ])("%j is wanted as %s", (path, expected) => {
    expect(wantedAs(path)).toBe(expected);
  });
});

describe("which server", () => {
  const socket = { kind: "socket", socketPath: "/s/boxrun.sock", stateDir: "/s" };
  it.each([
    [undefined, {}, socket],
    [undefined, { BOXRUN_SOCKET: "/x.sock" }, { ...socket, socketPath: "/x.sock" }],
    [undefined, { BOXRUN_HOST: "0.0.0.0" }, socket],
    [undefined, { BOXRUN_HOST: "127.0.0.1" }, socket],
    [undefined, { BOXRUN_HOST: "::" }, socket],
    [undefined, { BOXRUN_HOST: "http://h:1" }, { kind: "url", baseUrl: "http://h:1" }],
    [undefined, { BOXRUN_HOST: "unix:///u" }, { kind: "socket", socketPath: "/u", stateDir: undefined }],
    ["https://h", { BOXRUN_HOST: "http://other" }, { kind: "url", baseUrl: "https://h" }],
  ])("%j with %j", (host, env, expected) => {
    expect(resolveTarget({ host }, { BOXRUN_STATE_DIR: "/s", ...env })).toMatchObject(expected);
  });
  it.each(["boxes.example.org:9090", "boxes.example.org", "192.0.2.7", "http:/lab", "unix:relative"])(
    "is not guessed where BOXRUN_HOST is %j",
    (host) => {
      expect(() => resolveTarget({}, { BOXRUN_HOST: host, BOXRUN_STATE_DIR: "/s" })).toThrow("no server's address");
    },
  );
  it.each(["127.0.0.1:9090", "unix://relative", "http://", "ftp://x"])("no address: %j", (host) => {
    expect(() => resolveTarget({ host }, {})).toThrow("no server's address");
  });
});

describe("for people", () => {
  it.each([
    [0, "0s ago"],
    [59, "59s ago"],
    [60, "1m ago"],
    [3599, "59m ago"],
    [7200, "2h ago"],
    [200_000, "2d ago"],
    [-5, "0s ago"],
  ])("%i seconds are %s", (seconds, expected) => {
    const now = Date.parse("2025-06-01T12:00:00Z");
    expect(age(new Date(now - seconds * 1000).toISOString(), now)).toBe(expected);
  });
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1234, "1.2 kB"],
    [123_456, "123 kB"],
    [5e9, "5.0 GB"],
    [7e12, "7.0 TB"],
  ])("%i bytes are %s", (count, expected) => {
    expect(bytes(count)).toBe(expected);
  });
  it("columns are as wide as their widest cell, without a tail", () => {
    expect(
      table(
        [
          { head: "A", cell: ([one]) => one },
          { head: "LONG", cell: ([, two]) => two },
        ],
        [
          ["xyz", "1"],
          ["", "two\nlines"],
        ] satisfies [string, string][],
      ),
    ).toBe("A    LONG\nxyz  1\n     two lines\n");
  });
  it("control characters are harmless", () => {
    expect(printable("a\u001b]0;title\u0007b\u001b[2Jc\rd\u0000\ttab\n")).toBe("abc\\x0dd\\x00\ttab\n");
  });
});
