import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { never } from "./harness.ts";
import { makeTar } from "./tar.ts";

const oddNames: readonly (readonly [what: string, name: string])[] = [
  ["spaces", " two  spaces "],
  ["unicode", "ünïcödé-😀-文"],
  ["quotes", `it's "quoted"`],
  ["a newline", "two\nlines"],
  ["a leading dash", "-rf"],
  ["a percent sign and a plus", "100%25+?&#"],
  ["a backslash", "back\\slash"],
  ["a dollar sign and backquotes", "$HOME`id`$(id)"],
  ["a leading dot", ".hidden"],
  ["255 bytes", "n".repeat(255)],
];

export function fileBehaviours({ behaviour, harness }: Suite): void {
  behaviour("a file is written with its parents, mode 0644 and owner root, and is there for programs", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/a/b/file.txt`, "content\n");
    expect((await harness.run(["cat", `${directory}/a/b/file.txt`])).stdout.toString()).toBe("content\n");
    const [entry] = await harness.list(`${directory}/a/b`);
    expect(entry).toMatchObject({ name: "file.txt", type: "file", size: 8, mode: "0644", uid: 0, gid: 0 });
    const [parent] = await harness.list(directory);
    expect(parent).toMatchObject({ name: "a", type: "dir", mode: "0755" });
  });

  behaviour(
    "a file for an owner is theirs, with the directories made for it; a file that is replaced stays whose it was",
    [],
    async () => {
      const directory = harness.newPath();
      const write = (user: string, of: "everything" | "new") =>
        harness.engine.writeFile(harness.box, `${directory}/a/file`, Readable.from([Buffer.from("x")]), {
          signal: never(),
          owner: { user, of },
        });
      const owner = async (path: string) => {
        const [entry] = await harness.list(path);
        return `${entry?.uid}:${entry?.gid}`;
      };
      await write("1000:1001", "new");
      expect([await owner(directory), await owner(`${directory}/a`)]).toEqual(["1000:1001", "1000:1001"]);
      await write("7:8", "new");
      expect(await owner(`${directory}/a`)).toBe("1000:1001");
      await write("root", "everything");
      expect(await owner(`${directory}/a`)).toBe("0:0");
      await expect(write("no-such-user", "new")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    },
  );

  behaviour("a file that a program wrote is read as it is", [], async () => {
    const path = harness.newPath();
    await harness.sh(`echo from inside > ${path}`);
    expect((await harness.read(path)).toString()).toBe("from inside\n");
  });

  behaviour("writing again replaces the whole file, longer or shorter", [], async () => {
    const path = harness.newPath();
    for (const content of ["first", "a longer second one", "3"]) {
      await harness.write(path, content);
      expect((await harness.read(path)).toString()).toBe(content);
    }
  });

  for (const [what, name] of oddNames) {
    behaviour(`a name with ${what} is written, listed, read and removed`, [], async () => {
      const directory = harness.newPath();
      await harness.write(`${directory}/${name}`, "odd");
      expect(await harness.names(directory)).toEqual([name]);
      expect((await harness.read(`${directory}/${name}`)).toString()).toBe("odd");
      expect((await harness.run(["cat", `./${name}`], { workdir: directory })).stdout.toString()).toBe("odd");
      await harness.engine.removeFile(harness.box, `${directory}/${name}`);
      expect(await harness.names(directory)).toEqual([]);
    });
  }

  behaviour("a name that is no UTF-8 spoils neither the list nor the removal of its directory", ["linux"], async () => {
    const directory = harness.newPath();
    await harness.sh(`mkdir ${directory}; cd ${directory}; touch plain "$(printf 'bad\\377name')"`);
    const names = await harness.names(directory);
    expect(names).toHaveLength(2);
    expect(names).toContain("plain");
    await harness.engine.removeFile(harness.box, directory);
    expect(await harness.names("/root")).not.toContain(directory.slice("/root/".length));
  });

  behaviour(
    "a list is sorted by name and tells types, sizes, modes, times and targets, without following links",
    [],
    async () => {
      const directory = harness.newPath();
      const mtime = new Date(1_600_000_000_000);
      const tar = makeTar([
        { name: "zz-last", content: "12345", mode: 0o600, mtime },
        { name: "dir/", type: "directory", mode: 0o1777 },
        { name: "link", type: "symlink", target: "/no/such/target" },
        { name: "setuid", content: "", mode: 0o4755 },
      ]);
      await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
      const entries = await harness.list(directory);
      expect(entries.map(({ name }) => name)).toEqual(["dir", "link", "setuid", "zz-last"]);
      const [dir, link, setuid, file] = entries;
      expect(dir).toMatchObject({ type: "dir", mode: "1777" });
      expect(link).toMatchObject({ type: "symlink", target: "/no/such/target" });
      expect(setuid).toMatchObject({ type: "file", mode: "4755", size: 0 });
      expect(file).toMatchObject({ type: "file", size: 5, mode: "0600", uid: 0, gid: 0 });
      expect(new Date(file?.mtime ?? 0).getTime()).toBe(mtime.getTime());
    },
  );

  behaviour(
    "a directory of 500 files with long names is listed whole, also after a reader that left early",
    [],
    async () => {
      const directory = harness.newPath();
      const names = Array.from({ length: 500 }, (_, index) => `${"long-".repeat(40)}${String(index).padStart(5, "0")}`);
      // In one piece: this is about the list.
      const tar = Readable.from([await buffer(makeTar(names.map((name) => ({ name, content: name }))))]);
      await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
      for await (const { name } of harness.engine.listFiles(harness.box, directory, { signal: never() })) {
        expect(name).toBe(names[0]);
        break;
      }
      expect(await harness.names(directory)).toEqual(names);
      await harness.engine.removeFile(harness.box, directory);
    },
  );

  behaviour("an absolute symlink means the box's root, for reading and for writing", [], async () => {
    const directory = harness.newPath();
    const tar = makeTar([
      { name: "real/file", content: "through the link" },
      { name: "absolute", type: "symlink", target: `${directory}/real` },
      { name: "climbing", type: "symlink", target: `../../../../../../../../..${directory}/real` },
      { name: "passwd", type: "symlink", target: "/etc/hostname" },
    ]);
    await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
    for (const link of ["absolute", "climbing"]) {
      expect((await harness.read(`${directory}/${link}/file`)).toString()).toBe("through the link");
      expect(await harness.names(`${directory}/${link}`)).toContain("file");
      await harness.write(`${directory}/${link}/${link}.txt`, link);
      expect((await harness.read(`${directory}/real/${link}.txt`)).toString()).toBe(link);
    }
    expect(await harness.read(`${directory}/passwd`)).toEqual((await harness.run(["cat", "/etc/hostname"])).stdout);
  });

  behaviour("a loop of symlinks and a path through a file are errors", [], async () => {
    const directory = harness.newPath();
    const tar = makeTar([
      { name: "one", type: "symlink", target: "two" },
      { name: "two", type: "symlink", target: "one" },
      { name: "file", content: "" },
    ]);
    await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
    for (const path of ["one", "one/below", "file/below"]) {
      await expect(harness.read(`${directory}/${path}`)).rejects.toMatchObject({ name: "BoxRunError" });
    }
  });

  behaviour("what is not there is FILE_NOT_FOUND, whatever is done with it", [], async () => {
    const path = `${harness.newPath()}/nothing`;
    const { engine, box } = harness;
    const notFound = { code: "FILE_NOT_FOUND" };
    await expect(harness.read(path)).rejects.toMatchObject(notFound);
    await expect(engine.readArchive(box, path, { signal: never() })).rejects.toMatchObject(notFound);
    await expect(harness.list(path)).rejects.toMatchObject(notFound);
    await expect(engine.removeFile(box, path)).rejects.toMatchObject(notFound);
    await expect(engine.statFile(box, path, { follow: false })).rejects.toMatchObject(notFound);
    await expect(engine.renameFile(box, path, `${path}2`, { replace: false })).rejects.toMatchObject(notFound);
  });

  behaviour("a directory is no file and a file no directory: VALIDATION_ERROR", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/file`, "x");
    const invalid = { code: "VALIDATION_ERROR" };
    await expect(harness.read(directory)).rejects.toMatchObject(invalid);
    await expect(harness.write(directory, "x")).rejects.toMatchObject(invalid);
    await expect(harness.list(`${directory}/file`)).rejects.toMatchObject(invalid);
    expect(await harness.names(directory)).toEqual(["file"]);
  });

  behaviour("reading a fifo or a device is VALIDATION_ERROR, and does not hang", ["linux"], async () => {
    const path = harness.newPath();
    await harness.sh(`mkfifo ${path}`);
    for (const special of [path, "/dev/zero"]) {
      await expect(harness.read(special)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    }
  });

  behaviour("removal takes a whole directory, and of a symlink the link alone", [], async () => {
    const directory = harness.newPath();
    const tar = makeTar([
      { name: "kept/file", content: "kept" },
      { name: "tree/a/b/c", content: "" },
      { name: "tree/link", type: "symlink", target: "../kept" },
      { name: "link", type: "symlink", target: "kept" },
    ]);
    await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
    await harness.engine.removeFile(harness.box, `${directory}/tree`);
    await harness.engine.removeFile(harness.box, `${directory}/link`);
    expect(await harness.names(directory)).toEqual(["kept"]);
    expect((await harness.read(`${directory}/kept/file`)).toString()).toBe("kept");
  });

  behaviour("stat tells what a list does, of a symlink itself or of what it leads to", [], async () => {
    const directory = harness.newPath();
    const tar = makeTar([
      { name: "file", content: "12345", mode: 0o640 },
      { name: "link", type: "symlink", target: `${directory}/file` },
      { name: "dangling", type: "symlink", target: "nothing" },
    ]);
    await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
    const stat = (path: string, follow = false) => harness.engine.statFile(harness.box, path, { follow });
    const listed = await harness.list(directory);
    for (const entry of listed) expect(await stat(`${directory}/${entry.name}`)).toEqual(entry);
    expect(listed).toHaveLength(3);
    expect(await stat(`${directory}/link`, true)).toMatchObject({ name: "link", type: "file", size: 5, mode: "0640" });
    expect(await stat(directory)).toMatchObject({ type: "dir", mode: "0755" });
    expect(await stat("/")).toMatchObject({ name: "/", type: "dir" });
    await expect(stat(`${directory}/dangling`, true)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(stat(`${directory}/file/below`)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  });

  behaviour("a directory is made once, or with its parents and as often as it is asked for", [], async () => {
    const directory = harness.newPath();
    const make = (path: string, parents: boolean, user?: string) =>
      harness.engine.makeDirectory(harness.box, `${directory}${path}`, {
        parents,
        ...(user === undefined ? {} : { owner: { user, of: "new" as const } }),
      });
    const exists = { code: "FILE_EXISTS" };
    await make("", false);
    await expect(make("", false)).rejects.toMatchObject(exists);
    await expect(make("/a/b", false)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await make("/a/b", true, "1000:1001");
    await make("/a/b", true, "7:8");
    await make("/one", false, "1000:1001");
    for (const entry of [...(await harness.list(directory)), ...(await harness.list(`${directory}/a`))]) {
      expect(entry).toMatchObject({ type: "dir", mode: "0755", uid: 1000, gid: 1001 });
    }
    await harness.write(`${directory}/file`, "x");
    await expect(make("/file", false)).rejects.toMatchObject(exists);
    await expect(make("/file/below", true)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await expect(make("/b", true, "no-such-user")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    expect(await harness.names(directory)).toEqual(["a", "file", "one"]);
  });

  behaviour("a rename replaces nothing unless it may, and then no directory that is not empty", [], async () => {
    const directory = harness.newPath();
    const rename = (from: string, to: string, replace = false) =>
      harness.engine.renameFile(harness.box, `${directory}/${from}`, `${directory}/${to}`, { replace });
    const tar = makeTar([
      { name: "one", content: "1" },
      { name: "two", content: "2" },
      { name: "tree/in/file", content: "deep" },
      { name: "empty/", type: "directory" },
      { name: "link", type: "symlink", target: "two" },
    ]);
    await harness.engine.writeArchive(harness.box, directory, tar, { signal: never() });
    const [exists, notFound, invalid] = [
      { code: "FILE_EXISTS" },
      { code: "FILE_NOT_FOUND" },
      { code: "VALIDATION_ERROR" },
    ];
    await expect(rename("one", "two")).rejects.toMatchObject(exists);
    await rename("one", "two", true);
    expect((await harness.read(`${directory}/two`)).toString()).toBe("1");
    await expect(rename("one", "three")).rejects.toMatchObject(notFound);
    await expect(rename("two", "no/three")).rejects.toMatchObject(notFound);
    await expect(rename("two", "empty", true)).rejects.toMatchObject(invalid);
    await expect(rename("empty", "tree", true)).rejects.toMatchObject(exists);
    await expect(rename("tree", "tree/in/tree")).rejects.toMatchObject(invalid);
    await rename("tree", "empty", true);
    await rename("link", "renamed link");
    expect((await harness.read(`${directory}/empty/in/file`)).toString()).toBe("deep");
    expect((await harness.list(directory)).map(({ name, type }) => `${type} ${name}`)).toEqual([
      "dir empty",
      "symlink renamed link",
      "file two",
    ]);
  });

  behaviour("a directory of the image is renamed with all that is in it", ["linux"], async () => {
    const before = await harness.names("/var");
    await harness.engine.renameFile(harness.box, "/var", "/var-renamed", { replace: false });
    expect(await harness.names("/var-renamed")).toEqual(before);
    await harness.engine.renameFile(harness.box, "/var-renamed", "/var", { replace: false });
    expect(await harness.names("/var")).toEqual(before);
  });

  const watch = async (path: string, recursive: boolean) => {
    const stop = new AbortController();
    const changes = await harness.engine.watchFiles(harness.box, path, { recursive, signal: stop.signal });
    const lines: string[] = [];
    return {
      stop,
      /** What is told, until it has `count` lines more or ends. */
      async next(count: number): Promise<string[]> {
        while (lines.length < count) {
          const { value, done } = await changes.next();
          if (done === true) break;
          for (const change of value) {
            if (change.event === "overflow") lines.push("overflow");
            else lines.push(`${change.event} ${change.event === "renamed" ? `${change.from} ` : ""}${change.path}`);
          }
        }
        return lines.splice(0, count);
      },
    };
  };

  behaviour("several who watch a directory are each told what happens in it, and that it is gone", [], async () => {
    const directory = harness.newPath();
    const { engine, box } = harness;
    await engine.makeDirectory(box, `${directory}/in`, { parents: true });
    const watches = [await watch(directory, false), await watch(directory, true), await watch(directory, true)];
    await engine.makeDirectory(box, `${directory}/new`, { parents: false });
    await engine.renameFile(box, `${directory}/new`, `${directory}/newer ü`, { replace: false });
    await engine.removeFile(box, `${directory}/newer ü`);
    await engine.removeFile(box, `${directory}/in`);
    await engine.removeFile(box, directory);
    for (const { next } of watches) {
      expect(await next(10)).toEqual([
        `created ${directory}/new`,
        `renamed ${directory}/new ${directory}/newer ü`,
        `removed ${directory}/newer ü`,
        `removed ${directory}/in`,
        `removed ${directory}`,
      ]);
    }
  });

  behaviour("a watch that is given up is over, and what is not there is FILE_NOT_FOUND", [], async () => {
    const directory = harness.newPath();
    await harness.engine.makeDirectory(harness.box, directory, { parents: true });
    const { stop, next } = await watch(directory, true);
    const told = next(1);
    stop.abort();
    await expect(told).rejects.toMatchObject({ code: "CANCELED" });
    await expect(watch(`${directory}/nothing`, true)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  behaviour("what programs do in directories that are new is told, down to the last file", ["linux"], async () => {
    const directory = harness.newPath();
    await harness.engine.makeDirectory(harness.box, directory, { parents: true });
    const { next } = await watch(directory, true);
    await harness.sh(`cd ${directory}; mkdir -p a/b/c; : >a/b/c/one; cp -a a copy; : >'odd name'`);
    const created: string[] = [];
    while (created.length < 9) {
      const [line = "it has ended"] = await next(1);
      if (!line.startsWith("changed")) created.push(line);
    }
    expect(created.sort()).toEqual(
      ["a", "a/b", "a/b/c", "a/b/c/one", "copy", "copy/b", "copy/b/c", "copy/b/c/one", "odd name"]
        .map((name) => `created ${directory}/${name}`)
        .sort(),
    );
  });

  behaviour("a file is watched by its name, whatever file has it", ["linux"], async () => {
    const path = harness.newPath();
    await harness.write(path, "1");
    const { next } = await watch(path, false);
    await harness.sh(`echo 2 >>${path}`);
    expect(await next(1)).toEqual([`changed ${path}`]);
    await harness.sh(`echo 3 >${path}.new; mv ${path}.new ${path}`);
    expect(await next(1)).toEqual([`created ${path}`]);
    await harness.sh(`rm ${path}`);
    expect(await next(1)).toEqual([`removed ${path}`]);
  });

  behaviour("a file's size is known before its content is read", [], async () => {
    const path = harness.newPath();
    await harness.write(path, "exactly 16 bytes");
    const { size, content } = await harness.engine.readFile(harness.box, path, { signal: never() });
    expect(size).toBe(16);
    expect(await buffer(content)).toHaveLength(16);
  });
}
