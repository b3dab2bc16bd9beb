import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { never } from "./harness.ts";
import { makeTar, readTar, type TarMember } from "./tar.ts";

export function archiveBehaviours({ behaviour, harness }: Suite): void {
  const unpack = (directory: string, tar: Readable) =>
    harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
  const packed = async (path: string) =>
    readTar(await harness.engine.readArchive(harness.box, path, { signal: never() }));

  behaviour("a directory keeps modes, times, links and empty directories, in and out", [], async () => {
    const directory = `${harness.newPath()}/made/on/the/way`;
    const mtime = new Date(1_600_000_000_000);
    const members: TarMember[] = [
      { name: "empty", type: "directory", mode: 0o700, mtime },
      { name: "plain", content: "plain", mode: 0o640, mtime },
      { name: "run.sh", content: "#!/bin/sh\necho ran\n", mode: 0o755, mtime },
      { name: "sub", type: "directory", mode: 0o2775, mtime },
      { name: "sub/deep", content: "deep", mode: 0o444, mtime },
      { name: "relative", type: "symlink", target: "sub/deep", mtime },
      { name: "absolute", type: "symlink", target: "/no/where", mtime },
      { name: "ünï\ncode", content: "odd", mtime },
    ];
    await unpack(directory, makeTar(members));
    const back = await packed(directory);
    expect([...back.keys()].toSorted()).toEqual(members.map(({ name }) => name).toSorted());
    for (const { name, type = "file", mode, target = "", content = "" } of members) {
      const found = back.get(name);
      expect(found).toMatchObject({ type, target, content });
      if (type !== "symlink") expect(found?.mode).toBe(mode ?? 0o644);
      if (type === "file") expect(found?.mtime).toEqual(mtime);
    }
    expect((await harness.run([`${directory}/run.sh`])).stdout.toString()).toBe("ran\n");
  });

  behaviour("a directory's own time survives its content being unpacked", ["linux"], async () => {
    const directory = harness.newPath();
    const mtime = new Date(1_600_000_000_000);
    await unpack(
      directory,
      makeTar([
        { name: "d", type: "directory", mtime },
        { name: "d/file", content: "" },
      ]),
    );
    expect(await harness.sh(`stat -c %Y ${directory}/d`)).toBe("1600000000");
  });

  behaviour(
    "what is unpacked for an owner is theirs, and what was there stays whose it was unless all is meant",
    [],
    async () => {
      const directory = harness.newPath();
      const tar = () =>
        makeTar([
          { name: "old/", type: "directory" },
          { name: "old/file", content: "1" },
          { name: "new/file", content: "2" },
          { name: "new/link", type: "symlink", target: "file" },
        ]);
      const owners = async (path: string) =>
        (await harness.list(path)).map(({ name, uid, gid }) => `${name} ${uid}:${gid}`);
      await harness.write(`${directory}/old/file`, "");
      const write = (user: string, of: "everything" | "new") =>
        harness.engine.writeArchive(harness.box, directory, tar(), { signal: never(), owner: { user, of } });
      await write("1000:1001", "new");
      expect(await owners(directory)).toEqual(["new 1000:1001", "old 0:0"]);
      expect(await owners(`${directory}/old`)).toEqual(["file 0:0"]);
      expect(await owners(`${directory}/new`)).toEqual(["file 1000:1001", "link 1000:1001"]);
      await write("1000660000:2097152", "everything");
      expect(await owners(`${directory}/old`)).toEqual(["file 1000660000:2097152"]);
      expect(await owners(directory)).toEqual(["new 1000:1001", "old 1000660000:2097152"]);
      await expect(write("no-such-user", "new")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    },
  );

  behaviour("one file as an archive stands under its own name", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/only.txt`, "one");
    const members = await packed(`${directory}/only.txt`);
    expect([...members.keys()]).toEqual(["only.txt"]);
    expect(members.get("only.txt")).toMatchObject({ type: "file", content: "one" });
  });

  behaviour("an empty directory is an empty archive, and an empty archive makes the directory", [], async () => {
    const directory = harness.newPath();
    await unpack(directory, makeTar([]));
    expect(await harness.names(directory)).toEqual([]);
    expect((await packed(directory)).size).toBe(0);
  });

  behaviour("unpacking puts files beside and over what is there, and removes nothing", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/kept`, "kept");
    await harness.write(`${directory}/replaced`, "a longer old content");
    await unpack(directory, makeTar([{ name: "replaced", content: "new" }]));
    expect(await harness.names(directory)).toEqual(["kept", "replaced"]);
    expect((await harness.read(`${directory}/replaced`)).toString()).toBe("new");
  });

  behaviour("hard links stay one file", ["linux"], async () => {
    const directory = harness.newPath();
    await unpack(
      directory,
      makeTar([
        { name: "a", content: "same" },
        { name: "b", type: "link", target: "a" },
      ]),
    );
    expect(await harness.sh(`stat -c %h ${directory}/b; cat ${directory}/b`)).toBe("2\nsame");
  });

  behaviour("a long path and a large member come through", [], async () => {
    const directory = harness.newPath();
    const name = `${"a-rather-long-name/".repeat(12)}file`;
    const content = "0123456789".repeat(300_000);
    await unpack(directory, makeTar([{ name, content }]));
    expect((await packed(directory)).get(name)?.content === content).toBe(true);
  });

  for (const name of ["../escaped", "sub/../../escaped"]) {
    behaviour(`an archive with a member ${name} is refused, and nothing lands outside`, [], async () => {
      const parent = harness.newPath();
      await harness.write(`${parent}/here`, "");
      const writing = unpack(`${parent}/directory`, makeTar([{ name, content: "evil" }]));
      await expect(writing).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
      expect(await harness.names(parent)).not.toContain("escaped");
    });
  }

  behaviour("what is no archive, or only the beginning of one, is VALIDATION_ERROR", [], async () => {
    const directory = harness.newPath();
    const garbage = Readable.from(Buffer.alloc(100_000, "this is no tar archive. "), { objectMode: false });
    await expect(unpack(directory, garbage)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    const whole = await buffer(makeTar([{ name: "file", content: "x".repeat(50_000) }]));
    const half = Readable.from(whole.subarray(0, 20_000), { objectMode: false });
    await expect(unpack(directory, half)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  });

  behaviour("an archive is not unpacked over a file", [], async () => {
    const path = harness.newPath();
    await harness.write(path, "a file");
    await expect(unpack(path, makeTar([{ name: "x", content: "" }]))).rejects.toMatchObject({ name: "BoxRunError" });
    expect((await harness.read(path)).toString()).toBe("a file");
  });
}
