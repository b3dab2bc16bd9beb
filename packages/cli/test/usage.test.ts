import { describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { boxrun } from "./support/cli.ts";

const verbs = [
  "create",
  "ls",
  "inspect",
  "start",
  "stop",
  "rm",
  "exec",
  "ps",
  "logs",
  "kill",
  "wait",
  "run",
  "cp",
  "images",
  "gc",
  "info",
  "doctor",
  "serve",
  "server",
  "context",
  "completion",
  "upgrade",
  "uninstall",
];
const verbsBelow = [
  ...["start", "stop", "status", "logs"].map((verb) => ["server", verb]),
  ...["ls", "add", "use", "show", "rm"].map((verb) => ["context", verb]),
];
const imageVerbs = ["ls", "pull", "import", "rm", "build-debian"];

/** Where no server is, nor may one be started. */
const nowhere = { env: { BOXRUN_STATE_DIR: "/dev/null/nowhere" } };

describe("help", () => {
  it("names every verb", async () => {
    const { code, stdout } = await boxrun(["--help"], nowhere);
    expect(code).toBe(0);
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} +\\w`, "m"));
  });

  it.each([...verbs.map((verb) => [verb]), ...imageVerbs.map((verb) => ["images", verb]), ...verbsBelow])(
    "of %s %s has its options and examples",
    async (...words) => {
      const args = words.filter((word): word is string => typeof word === "string");
      const { code, stdout, stderr } = await boxrun([...args, "--help"], nowhere);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^Usage: boxrun ${args.join(" ")} `));
      expect(stdout).toContain("--json");
      expect(stdout).toMatch(new RegExp(`Examples:\\n(.*\\n)*? +\\$ .*boxrun ${args[0]}`));
    },
  );

  it("of a verb is also `help VERB`", async () => {
    const [one, other] = await Promise.all([
      boxrun(["help", "create"], nowhere),
      boxrun(["create", "--help"], nowhere),
    ]);
    expect(one).toEqual(other);
  });
});

describe("wrong arguments exit with 2", () => {
  it.each([
    [[], /^Usage:/],
    [["lss"], /^Error: unknown command 'lss'\n\(Did you mean ls\?\)/],
    [["images", "pul"], /Did you mean pull\?/],
    [["create"], /^Error: missing required argument 'image'/],
    [["create", "base", "--cpu", "zero"], /^Error: .*'--cpu <count>'.*'zero'.*whole number/],
    [["create", "base", "--colour"], /^Error: unknown option '--colour'/],
    [["exec", "dev"], /^Error: missing required argument 'program'/],
    [["exec", "--timeout", "soon", "dev", "ls"], /^Error: .*seconds/],
    [["ls", "-s", "asleep"], /^Error: .*Allowed choices are creating, running, stopped, error, all/],
    [["--host", "nonsense", "ls"], /^Error: --host is "nonsense"/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await boxrun(args, nowhere);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("and are JSON with --json", async () => {
    const { code, stderr } = await boxrun(["create", "--json"], nowhere);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toEqual({ code: "USAGE", message: "missing required argument 'image'" });
  });
});

describe("--version", () => {
  it("is the package's", async () => {
    expect(await boxrun(["--version"])).toMatchObject({ code: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });
});

describe("a server that is somebody else's", () => {
  it("is never started", async () => {
    const { code, stderr } = await boxrun(["ls"], { env: { BOXRUN_HOST: "unix:///nonexistent/b.sock" } });
    expect(code).toBe(125);
    expect(stderr).toMatch(/^Error: ls: Cannot reach the BoxRun server at unix:\/\/\/nonexistent\/b\.sock: .*\nHint: /);
  });
});
