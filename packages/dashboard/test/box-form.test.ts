import { describe, expect, it } from "vitest";
import { emptyForm, readForm } from "../src/components/box-form/form.ts";
import { createCommand, createPython, createTypeScript, runCommand } from "../src/components/box-form/snippets.ts";

const filled = {
  ...emptyForm,
  image: "python",
  name: "dev",
  cpu: "4",
  network: true,
  env: "A=1\nGREETING=it's = me",
  volumes: "/srv/src:/root/src:ro",
};

describe("the form of a box", () => {
  it("is read as the API takes it", () => {
    expect(readForm(filled)).toEqual({
      ok: true,
      input: {
        image: "python",
        name: "dev",
        cpu: 4,
        memory_mb: 1024,
        disk_size_gb: 8,
        network: true,
        env: { A: "1", GREETING: "it's = me" },
        volumes: [{ host_path: "/srv/src", guest_path: "/root/src", readonly: true }],
      },
    });
  });

  it.each([
    ["image", "  ", /image/],
    ["name", "no spaces", /letters/],
    ["name", "box_mine", /not with 'box_'/],
    ["cpu", "0", /positive integer/],
    ["cpu", "", /positive integer|number/],
    ["memory_mb", "1.5", /integer/],
    ["disk_size_gb", "99999", /16384/],
    ["workdir", "relative", /absolute/],
    ["env", "A=1\nno value", /line 2/],
    ["volumes", "only-one", /line 1/],
    ["volumes", "relative:/guest", /absolute/],
  ] as const)("says what is wrong with %s %j", (field, text, why) => {
    const read = readForm({ ...emptyForm, [field]: text });
    expect(read.ok ? {} : read.errors).toEqual({ [field]: expect.stringMatching(why) });
  });
});

describe("the same elsewhere", () => {
  const read = readForm(filled);
  const input = read.ok ? read.input : { image: "" };

  it("is a command that a shell takes apart again", () => {
    expect(createCommand(input)).toBe(
      "boxrun create python --cpu 4 --network --name dev --env A=1 --env 'GREETING=it'\\''s = me' --volume /srv/src:/root/src:ro",
    );
    expect(runCommand({ image: "base" }, ["sh", "-c", "uname -a"])).toBe("boxrun run base -- sh -c 'uname -a'");
  });

  it("leaves out what the server does by itself", () => {
    expect(createCommand({ image: "base", cpu: 2, memory_mb: 1024, network: false })).toBe("boxrun create base");
  });

  it("is TypeScript, without quotes around names", () => {
    const code = createTypeScript({ image: "base", name: "dev" }, "http://127.0.0.1:9090");
    expect(code).toContain('new BoxRunClient({ baseUrl: "http://127.0.0.1:9090" })');
    expect(code).toContain('boxes.create({ image: "base", name: "dev" })');
  });

  it("is Python", () => {
    const code = createPython(input);
    expect(code).toContain('"python",\n    cpu=4,\n    network=True,');
    expect(code).toContain('env={"A": "1", "GREETING": "it\'s = me"}');
    expect(code).toContain('"readonly": True');
  });
});
