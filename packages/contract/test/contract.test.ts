import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  BoxRunError,
  boxActions,
  boxNameSchema,
  boxStatuses,
  createBoxRequestSchema,
  errorCodes,
  errorTable,
  execRequestSchema,
  openApiDocument,
  resolveImageAlias,
  toBoxRunError,
  urls,
} from "../src/index.ts";

describe("create request", () => {
  it("fills in the documented defaults", () => {
    expect(createBoxRequestSchema.parse({ image: "base" })).toEqual({
      image: "base",
      cpu: 2,
      memory_mb: 1024,
      disk_size_gb: 8,
      network: false,
    });
  });

  it.each([
    [{ image: "" }, "image"],
    [{ image: "base", cpu: 0 }, "cpu"],
    [{ image: "base", cpu: 1.5 }, "cpu"],
    [{ image: "base", memory_mb: "1024" }, "memory_mb"],
    [{ image: "base", workdir: "root" }, "workdir"],
    [{ image: "base", name: "-x" }, "name"],
    [{ image: "base", env: { "A=B": "c" } }, "env"],
    [{ image: "base", volumes: [{ host_path: "relative", guest_path: "/x" }] }, "volumes"],
    [{ image: "base", colour: "red" }, ""],
  ])("refuses %j", (body, field) => {
    const result = createBoxRequestSchema.safeParse(body);
    expect(result.success).toBe(false);
    expect(String(result.error?.issues[0]?.path[0] ?? "")).toBe(field);
  });

  it("takes null where there is nothing", () => {
    expect(createBoxRequestSchema.safeParse({ image: "base", name: null, env: null, volumes: null }).success).toBe(
      true,
    );
  });
});

describe("exec request", () => {
  it.each([[{ cmd: [] }], [{ cmd: "ls" }], [{ cmd: ["a\0b"] }], [{ cmd: ["ls"], timeout_ms: 0 }]])(
    "refuses %j",
    (body) => {
      expect(execRequestSchema.safeParse(body).success).toBe(false);
    },
  );
});

describe("names", () => {
  it.each(["dev", "a", "my-box_1.2"])("allow %s", (name) => expect(boxNameSchema.safeParse(name).success).toBe(true));
  it.each(["", "box_abc", "a/b", "a:stop", "..", "é", "a".repeat(64)])("refuse %j", (name) =>
    expect(boxNameSchema.safeParse(name).success).toBe(false),
  );
});

describe("errors", () => {
  it("carry their status and hint from the table", () => {
    for (const code of errorCodes) {
      const error = new BoxRunError(code, "what happened");
      expect(error.status).toBe(errorTable[code].status);
      expect(error.hint.length).toBeGreaterThan(10);
      expect(error.toJSON()).toEqual({ code, message: "what happened" });
    }
  });

  it("keep their code when caught and passed on, and wrap everything else", () => {
    const ours = new BoxRunError("TIMEOUT", "too slow");
    expect(toBoxRunError(ours)).toBe(ours);
    expect(toBoxRunError(new Error("boom"))).toMatchObject({ code: "INTERNAL_ERROR", message: "boom" });
  });
});

describe("state rules", () => {
  it("answer every action in every state", () => {
    for (const rules of Object.values(boxActions)) expect(Object.keys(rules).sort()).toEqual([...boxStatuses].sort());
  });
});

describe("the OpenAPI document", () => {
  it("lists every status that the server answers with before an operation begins", () => {
    const paths = z
      .record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) })))
      .parse(openApiDocument("1").paths);
    const statuses = (path: string, method: string) => Object.keys(paths[path]?.[method]?.responses ?? {});
    expect(statuses("/v1/boxes", "post")).toEqual(expect.arrayContaining(["413", "415", "422", "431"]));
    expect(statuses("/v1/boxes/{id}/attach", "get")).toEqual(expect.arrayContaining(["400", "426", "431"]));
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) expect(statuses(path, method)).toContain("431");
    }
  });
});

describe("urls", () => {
  it("encode what goes into them", () => {
    expect(urls.exec("a/b", "..?")).toBe("/v1/boxes/a%2Fb/exec/..%3F");
    expect(urls.removeBox("dev", true)).toBe("/v1/boxes/dev?force=true");
    expect(urls.removeBox("dev", false)).toBe("/v1/boxes/dev");
  });
});

describe("image aliases", () => {
  it("resolve the known ones and leave the rest, even odd ones, alone", () => {
    expect(resolveImageAlias("python")).toBe("python:3.12-slim");
    expect(resolveImageAlias("constructor")).toBe("constructor");
  });
});
