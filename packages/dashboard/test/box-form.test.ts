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
    ["secret_env", "TOKEN", /line 1/],
    ["ports", "80:80\nhttp", /line 2/],
    ["ports", "80:70000", /65535/],
    ["labels", "-team=ci", /letter or digit/],
    ["ttl_seconds", "soon", /30m/],
    ["ttl_seconds", "999d", /31536000/],
  ] as const)("says what is wrong with %s %j", (field, text, why) => {
    const read = readForm({ ...emptyForm, [field]: text });
    expect(read.ok ? {} : read.errors).toEqual({ [field]: expect.stringMatching(why) });
  });
});

describe("labels, ports, a lifetime and secrets", () => {
  const read = readForm({
    ...emptyForm,
    env: "A=1",
    secret_env: "TOKEN=hush",
    ports: "8080:80\n[::1]:0:81\n443",
    labels: "team=ci\nkept",
    ttl_seconds: "1h30m",
    on_expiry: "remove",
  });
  const input = read.ok ? read.input : { image: "" };

  it("are read as the API takes them", () => {
    expect(input).toMatchObject({
      env: { A: "1", TOKEN: "hush" },
      secret_env: ["TOKEN"],
      ports: [
        { guest_port: 80, host_port: 8080 },
        { guest_port: 81, host_port: 0, host_ip: "::1" },
        { guest_port: 443 },
      ],
      labels: { team: "ci", kept: "" },
      ttl_seconds: 5_400,
      on_expiry: "remove",
    });
  });

  it("are said as a command and as programs, without the values of secrets", () => {
    const command = createCommand(input);
    expect(command).toBe(
      "boxrun create base --env A=1 --secret-env TOKEN --publish 8080:80 --publish '[::1]:0:81' --publish 443 --label team=ci --label kept= --ttl 1h30m --rm",
    );
    const typescript = createTypeScript(input, "http://127.0.0.1:9090");
    expect(typescript).toContain('TOKEN: process.env.TOKEN ?? ""');
    expect(typescript).toContain('on_expiry: "remove"');
    const python = createPython(input);
    expect(python).toMatch(/^import os\n/);
    expect(python).toContain('env={"A": "1", "TOKEN": os.environ["TOKEN"]}');
    expect(python).toContain("ttl_seconds=5400");
    for (const text of [command, typescript, python]) expect(text).not.toContain("hush");
  });

  it("says nothing of what happens at the end of a box that has none", () => {
    const without = readForm({ ...emptyForm, on_expiry: "remove" });
    expect(without.ok && createCommand(without.input)).toBe("boxrun create base");
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
