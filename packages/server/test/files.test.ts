import { once } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contentDisposition } from "../src/routes/files.ts";
import { type Ask, ask, createBox, response, send } from "./support/http.ts";
import { pulledImage } from "./support/image-content.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

let server: TestServer;
let boxId: string;
beforeAll(async () => {
  server = await startTestServer();
  boxId = (await createBox(server)).id;
});
afterAll(() => server[Symbol.asyncDispose]());

const boundary = "-----x";
const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
const field = (name: string, value: string) =>
  Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
const fileHead = (disposition = 'name="file"; filename="a.bin"', name = "application/octet-stream") =>
  Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${name}\r\n\r\n`);
const file = (content: Uint8Array | string, disposition?: string) =>
  Buffer.concat([fileHead(disposition), Buffer.from(content), Buffer.from("\r\n")]);
const end = Buffer.from(`--${boundary}--\r\n`);

const upload = (parts: Uint8Array[], query = "", more: Ask = {}) =>
  ask(server, `/v1/boxes/${boxId}/files/upload${query}`, { body: Buffer.concat(parts), headers, ...more });
const download = (path: string, query = "") =>
  ask(server, `/v1/boxes/${boxId}/files/download${query}`, { body: { path } });
/** Files that have no name any more, but are open. */
const openSpools = async () => {
  const fds = await readdir("/proc/self/fd");
  const paths = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return paths.filter((path) => path.startsWith(server.spoolDir));
};
const spooled = () => readdir(server.spoolDir);

describe("an upload", () => {
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 256));

  it.each([
    ["dest before file", "/up/one", (dest: string) => [field("dest", dest), file(content), end]],
    ["file before dest", "/up/two", (dest: string) => [file(content), field("dest", dest), end]],
    [
      "other parts between them",
      "/up/three",
      (dest: string) => [
        field("x", "1"),
        file(content),
        field("y", "2"),
        field("dest", dest),
        file("other", 'name="more"; filename="x"'),
        end,
      ],
    ],
    ["a file without a name", "/up/four", (dest: string) => [field("dest", dest), file(content, 'name="file"'), end]],
    [
      "a file with a hostile name",
      "/up/five",
      (dest: string) => [field("dest", dest), file(content, 'name="file"; filename="../../etc/passwd\\"é"'), end],
    ],
    ["a second file", "/up/six", (dest: string) => [field("dest", dest), file(content), file("second"), end]],
  ])("takes %s", async (_, dest, parts) => {
    const answer = await upload(parts(dest));
    expect([answer.status, answer.json]).toEqual([200, { ok: true, dest }]);
    const back = await download(dest);
    expect(back.bytes.equals(content)).toBe(true);
    expect(await spooled()).toEqual([]);
  });

  it("of nothing makes an empty file", async () => {
    await upload([field("dest", "/up/empty"), file(""), end]);
    const back = await download("/up/empty");
    expect([back.status, back.headers["content-length"], back.text]).toEqual([200, "0", ""]);
  });

  it("goes on to the box while it comes in, when dest is known", async () => {
    const body = new PassThrough();
    const sent = send(server, `/v1/boxes/${boxId}/files/upload`, { body, headers });
    const hold = server.engine.controls.hold("writeFile");
    body.write(Buffer.concat([field("dest", "/up/live"), fileHead(), content]));
    await hold.reached;
    hold.release();
    body.end(Buffer.concat([Buffer.from("\r\n"), end]));
    expect((await response(sent)).statusCode).toBe(200);
  });

  it.each([
    ["dest", [file("x"), end]],
    ["file", [field("dest", "/up/none"), end]],
    ["dest", [file("x", 'name="dest"; filename="x"'), file("x"), end]],
    ["dest", [end]],
  ])("without %s is answered with 400", async (name, parts) => {
    const answer = await upload(parts);
    expect([answer.status, answer.json]).toEqual([
      400,
      { code: "VALIDATION_ERROR", message: `${name}: is missing in the form` },
    ]);
    expect(await spooled()).toEqual([]);
  });

  it.each([
    ["a relative path", "relative/path"],
    ["an empty path", ""],
    ["a path with NUL", "/a\0b"],
    ["a path of 5,000 characters", `/${"x".repeat(5000)}`],
  ])("to %s is answered with 422", async (_, dest) => {
    for (const parts of [
      [field("dest", dest), file("x"), end],
      [file("x"), field("dest", dest), end],
    ]) {
      const answer = await upload(parts);
      expect([answer.status, answer.json]).toEqual([
        422,
        { code: "VALIDATION_ERROR", message: expect.stringMatching(/^dest: /) },
      ]);
    }
    expect(await spooled()).toEqual([]);
  });

  it.each([
    ["no form", "x", { "content-type": "text/plain" }],
    ["a form without a boundary", "x", { "content-type": "multipart/form-data" }],
    ["nothing", "", {}],
    ["a form that is none", "nonsense", headers],
    ["a form that stops", Buffer.concat([field("dest", "/up/cut"), fileHead(), content]), headers],
  ])("of %s is answered with 400", async (_, body, how: Record<string, string>) => {
    const answer = await ask(server, `/v1/boxes/${boxId}/files/upload`, { method: "POST", body, headers: how });
    expect([answer.status, answer.json]).toMatchObject([400, { code: "VALIDATION_ERROR" }]);
    expect((await download("/up/cut")).json).toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("belongs to the image's user where it is new, or to whom it is said", async () => {
    await using server = await startTestServer({
      pull: async () => ({ ...pulledImage, config: { ...pulledImage.config, user: "nobody" } }),
    });
    await ask(server, "/v1/images:pull", { body: { reference: "for-nobody:1" } });
    const { id } = await createBox(server, { image: "for-nobody:1" });
    const owners = async (path: string) =>
      (await server.files(id, path)).map(({ name, uid, gid }) => `${name} ${uid}:${gid}`);
    const put = async (dest: string, query = "", content: Uint8Array | string = "x") => {
      const body = Buffer.concat([field("dest", dest), file(content), end]);
      return (await ask(server, `/v1/boxes/${id}/files/upload${query}`, { body, headers })).json;
    };
    await put("/tmp/new/deep/file");
    expect([await owners("/tmp"), await owners("/tmp/new/deep")]).toEqual([["new 65534:65534"], ["file 65534:65534"]]);
    await put("/etc/hostname");
    expect(await owners("/etc")).toEqual(["hostname 0:0"]);
    await put("/etc/hostname", "?owner=1000:50");
    expect(await owners("/etc")).toEqual(["hostname 1000:50"]);
    await put("/tar/in-tar", "?owner=7:8");
    const { bytes: tar } = await ask(server, `/v1/boxes/${id}/files/download?archive=tar`, { body: { path: "/tar" } });
    const of = async (query: string) => {
      const dest = `/of${query}`;
      await put(dest, `?archive=tar${query}`, tar);
      return await owners(dest);
    };
    expect(await of("")).toEqual(["in-tar 7:8"]);
    expect(await of("&owner=@box")).toEqual(["in-tar 65534:65534"]);
    expect(await of("&owner=root")).toEqual(["in-tar 0:0"]);
    expect(await put("/x", "?owner=no-such-user")).toMatchObject({ code: "VALIDATION_ERROR" });
    expect(await put("/x", "?owner=:5")).toMatchObject({ message: expect.stringContaining("USER:GROUP") });
  });

  it("to a box that is not there is answered at once, and the caller may finish sending", async () => {
    const big = Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(100_000)));
    const body = Readable.from(
      (async function* () {
        yield Buffer.concat([field("dest", "/x"), fileHead()]);
        yield* big;
        yield Buffer.concat([Buffer.from("\r\n"), end]);
      })(),
    );
    const answer = await ask(server, "/v1/boxes/nobody/files/upload", { body, headers });
    expect([answer.status, answer.json]).toMatchObject([404, { code: "BOX_NOT_FOUND" }]);
  });

  it.each([
    [
      "dest first",
      [field("dest", "/up/gone"), fileHead(), content],
      async () => server.engine.controls.calls("writeFile"),
    ],
    ["file first", [fileHead(), content], async () => (await openSpools()).length],
  ])("that is hung up on leaves nothing, %s", async (_, parts, progress) => {
    const begun = await progress();
    const body = new PassThrough();
    const sent = send(server, `/v1/boxes/${boxId}/files/upload`, { body, headers });
    sent.on("error", () => undefined);
    body.write(Buffer.concat(parts));
    await expect.poll(progress).toBeGreaterThan(begun);
    const before = server.log().length;
    sent.destroy();
    await expect
      .poll(() => server.log().slice(before))
      .toContainEqual(expect.objectContaining({ operation: "uploadFile", hung_up: true }));
    await expect.poll(openSpools).toEqual([]);
    expect(await spooled()).toEqual([]);
    expect((await download("/up/gone")).json).toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("of a tar unpacks it, and a directory comes back as one", async () => {
    await upload([field("dest", "/tree/a"), file("in a"), end]);
    await upload([field("dest", "/tree/sub/b"), file("in b"), end]);
    const tar = await download("/tree", "?archive=tar");
    expect([tar.status, tar.headers["content-type"], tar.headers["content-disposition"]]).toEqual([
      200,
      "application/x-tar",
      `attachment; filename="tree.tar"; filename*=UTF-8''tree.tar`,
    ]);
    const answer = await upload([field("dest", "/copy"), file(tar.bytes), end], "?archive=tar");
    expect([answer.status, answer.json]).toEqual([200, { ok: true, dest: "/copy" }]);
    expect((await download("/copy/sub/b")).text).toBe("in b");
    const refused = await upload(
      [field("dest", "/copy"), file("no tar at all, but long enough ".repeat(100)), end],
      "?archive=tar",
    );
    expect([refused.status, refused.json]).toMatchObject([422, { code: "VALIDATION_ERROR" }]);
  });
});

describe("a download", () => {
  it("says how long it is, and what it is called", async () => {
    await upload([field("dest", '/d/ü "n".txt'), file("12345"), end]);
    const answer = await download('/d/ü "n".txt');
    expect(answer.text).toBe("12345");
    expect(answer.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "5",
      "content-disposition": `attachment; filename="_ _n_.txt"; filename*=UTF-8''%C3%BC%20%22n%22.txt`,
    });
  });

  it.each([
    ["plain.txt", `attachment; filename="plain.txt"; filename*=UTF-8''plain.txt`],
    [
      'a"b\r\nSet-Cookie: x',
      `attachment; filename="a_b__Set-Cookie_ x"; filename*=UTF-8''a%22b%0D%0ASet-Cookie%3A%20x`,
    ],
    ["\ud800", `attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`],
    ["it's (1)*", `attachment; filename="it_s _1__"; filename*=UTF-8''it%27s%20%281%29%2A`],
  ])("is called %j without breaking its header", (name, header) => {
    expect(contentDisposition(name)).toBe(header);
  });

  it("of what is not there, or no file, is answered with JSON", async () => {
    expect((await download("/nothing")).json).toMatchObject({ code: "FILE_NOT_FOUND" });
    expect((await download("/d")).json).toMatchObject({ code: "VALIDATION_ERROR" });
    expect((await download("relative")).json).toMatchObject({ code: "VALIDATION_ERROR" });
  });

  it.each([
    ["less", 10],
    ["more", 3],
  ])("is cut off when the box sends %s than it announced", async (_, size) => {
    const { readFile } = server.engine;
    server.engine.readFile = async () => ({ size, content: Readable.from([Buffer.from("abcdef")]) });
    const request = send(server, `/v1/boxes/${boxId}/files/download`, { body: { path: "/x" } });
    const outcome = await response(request)
      .then(buffer)
      .then(
        (bytes) => bytes.toString(),
        (error: unknown) => error,
      );
    server.engine.readFile = readFile;
    expect(outcome).not.toBe("abcdef");
  });

  it("that fails before its first byte is answered with JSON", async () => {
    const { readFile } = server.engine;
    const failing = new Readable({ read: () => failing.destroy(new Error("disk of the box broke")) });
    server.engine.readFile = async () => ({ size: 10, content: failing });
    const answer = await download("/x");
    server.engine.readFile = readFile;
    expect([answer.status, answer.json]).toMatchObject([500, { code: "INTERNAL_ERROR" }]);
    expect(answer.headers["content-disposition"]).toBeUndefined();
  });

  it("that is hung up on is let go of", async () => {
    const { readFile } = server.engine;
    const content = new Readable({ read: () => content.push(Buffer.alloc(65_536)) });
    const closed = new Promise((resolve) => content.once("close", resolve));
    server.engine.readFile = async () => ({ size: Number.MAX_SAFE_INTEGER, content });
    const message = await response(send(server, `/v1/boxes/${boxId}/files/download`, { body: { path: "/x" } }));
    await once(message, "readable");
    message.destroy();
    await closed;
    server.engine.readFile = readFile;
  });
});

describe("the files of a box", () => {
  it("are listed and removed", async () => {
    await upload([field("dest", "/l/one"), file("1"), end]);
    const list = await ask(server, `/v1/boxes/${boxId}/files?path=/l`);
    expect([list.status, list.json]).toMatchObject([200, [{ name: "one", type: "file", size: 1 }]]);
    const gone = await ask(server, `/v1/boxes/${boxId}/files?path=/l/one`, { method: "DELETE" });
    expect([gone.status, gone.json]).toEqual([200, { ok: true }]);
    expect((await ask(server, `/v1/boxes/${boxId}/files?path=/l`)).json).toEqual([]);
  });
});

describe("an import", () => {
  it("takes the body as it is, whatever it is called", async () => {
    for (const type of [undefined, "application/x-tar", "application/json", "multipart/form-data; boundary=x"]) {
      const answer = await ask(server, "/v1/images:import", {
        body: "tar:mine:1",
        headers: type === undefined ? {} : { "content-type": type },
      });
      expect([answer.status, answer.json]).toMatchObject([200, [{ reference: "mine:1", builtin: false }]]);
    }
    const refused = await ask(server, "/v1/images:import", { body: "nonsense" });
    expect([refused.status, refused.json]).toMatchObject([422, { code: "VALIDATION_ERROR" }]);
  });
});
