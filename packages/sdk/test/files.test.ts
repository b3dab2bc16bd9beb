import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type BodySource, boxUser } from "../src/index.ts";
import { readBody, StubServer, sendJson, toArray } from "./support/stub-server.ts";

const text = "some text";
const bytes = new TextEncoder().encode(text);

describe("uploads", () => {
  it.each<[string, () => BodySource]>([
    ["text", () => text],
    ["bytes", () => bytes],
    ["a Blob", () => new Blob([text])],
    ["a ReadableStream", () => new Blob([text]).stream()],
    ["a Node stream", () => Readable.from([bytes.subarray(0, 4), bytes.subarray(4)])],
  ])("of %s are a form with dest before the file", async (_, content) => {
    await using stub = await StubServer.start(async (request, response) => {
      const form = await new Response(new Uint8Array(await readBody(request)), {
        headers: { "content-type": request.headers["content-type"] ?? "" },
      }).formData();
      const file = form.get("file");
      expect([...form.keys()]).toEqual(["dest", "file"]);
      expect(form.get("dest")).toBe('/root/ä "quoted".txt');
      expect(file instanceof Blob && (await file.text())).toBe(text);
      sendJson(response, 200, { ok: true, dest: "/root" });
    });
    await stub.client.files.upload("dev", '/root/ä "quoted".txt', content());
  });

  it("say whose they are to be, and downloads how much a tar says", async () => {
    const asked: (string | undefined)[] = [];
    await using stub = await StubServer.start((request, response) => {
      asked.push(request.url);
      request.resume();
      sendJson(response, 200, { ok: true, dest: "/x" });
    });
    const { files } = stub.client;
    await files.upload("dev", "/x", text, { owner: "app:staff" });
    await files.uploadArchive("dev", "/x", text, { owner: boxUser });
    await files.uploadArchive("dev", "/x", text);
    await toArray((await files.downloadArchive("dev", "/x", { full: true })).content);
    expect(asked).toEqual([
      "/v1/boxes/dev/files/upload?owner=app%3Astaff",
      "/v1/boxes/dev/files/upload?archive=tar&owner=%40box",
      "/v1/boxes/dev/files/upload?archive=tar",
      "/v1/boxes/dev/files/download?archive=tar&full=true",
    ]);
  });

  it("stream: the file is not collected first", async () => {
    const arrived = Promise.withResolvers<void>();
    await using stub = await StubServer.start(async (request, response) => {
      for await (const chunk of request) if (String(chunk).includes("first")) arrived.resolve();
      sendJson(response, 200, { ok: true, dest: "/x" });
    });
    async function* content() {
      yield Buffer.from("first");
      await arrived.promise;
      yield Buffer.from("second");
    }
    await stub.client.files.uploadArchive("dev", "/x", content());
  });

  it("fail with what their source fails with, and let go of the connection", async () => {
    const [arrived, hungUp] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using stub = await StubServer.start((request) => {
      arrived.resolve();
      request.on("close", hungUp.resolve).resume();
    });
    async function* content() {
      yield Buffer.from("first");
      await arrived.promise;
      throw new Error("disk on fire");
    }
    await expect(stub.client.files.upload("dev", "/x", content())).rejects.toThrow(/^disk on fire$/);
    await hungUp.promise;
  });
});

describe("downloads", () => {
  it("bring every byte", async () => {
    const content = randomBytes(8_000_000);
    await using stub = await StubServer.start((_, response) => {
      response.writeHead(200, { "content-length": content.length }).end(content);
    });
    const download = await stub.client.files.download("dev", "/x");
    expect(download.sizeBytes).toBe(content.length);
    const hash = createHash("sha256");
    for await (const chunk of download.content) hash.update(chunk);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(content).digest("hex"));
  });

  it("that break off fail", async () => {
    await using stub = await StubServer.start((_, response) => {
      response.writeHead(200, { "content-length": 100 }).write("half", () => response.destroy());
    });
    const { content } = await stub.client.files.download("dev", "/x");
    await expect(toArray(content)).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
  });

  it("refuse before anything is read", async () => {
    await using stub = await StubServer.start((_, response) =>
      sendJson(response, 404, { code: "FILE_NOT_FOUND", message: "There is no /x in the box" }),
    );
    await expect(stub.client.files.downloadArchive("dev", "/x")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});
