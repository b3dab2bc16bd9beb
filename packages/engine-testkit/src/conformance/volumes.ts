import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Suite } from "./behaviour.ts";
import { never } from "./harness.ts";

const needs = ["volumes", "linux"] as const;

export function volumeBehaviours({ behaviour, harness }: Suite): void {
  const hostDir = async () => {
    const closed = await mkdtemp(join(tmpdir(), "boxrun-volume-"));
    onTestFinished(() => rm(closed, { recursive: true, force: true }));
    // Where no other user comes, whatever a box makes of the directory itself.
    const dir = join(closed, "shared");
    await mkdir(dir);
    return dir;
  };

  behaviour("a volume is shared both ways, keeps modes, and outlives stop, start and the box", needs, async () => {
    const hostPath = await hostDir();
    await writeFile(join(hostPath, "from-host"), "host content");
    const volumes = [{ hostPath, guestPath: "/mnt/deep/data", readonly: false }];
    const box = await harness.freshBox({ volumes });
    expect(await harness.sh("cat /mnt/deep/data/from-host", box)).toBe("host content");
    await harness.sh(
      "echo box content > /mnt/deep/data/from-box; mkdir /mnt/deep/data/sub; rm /mnt/deep/data/from-host",
      box,
    );
    expect(await readFile(join(hostPath, "from-box"), "utf8")).toBe("box content\n");
    await expect(readFile(join(hostPath, "from-host"))).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(join(hostPath, "later"), "later content");
    expect(await harness.sh("cat /mnt/deep/data/later", box)).toBe("later content");
    await harness.write("/mnt/deep/data/uploaded", "uploaded", box);
    expect(await readFile(join(hostPath, "uploaded"), "utf8")).toBe("uploaded");

    await harness.engine.stop(box);
    await harness.engine.start(harness.specOf(box), { signal: never() });
    expect(await harness.sh("cat /mnt/deep/data/later", box)).toBe("later content");
    await harness.engine.remove(box);
    expect(await readFile(join(hostPath, "from-box"), "utf8")).toBe("box content\n");
  });

  behaviour("a read-only volume stays so against root in the box, who may remount what he likes", needs, async () => {
    const [readable, writable, inner] = [await hostDir(), await hostDir(), await hostDir()];
    await writeFile(join(readable, "file"), "untouched");
    await writeFile(join(inner, "file"), "inner");
    const box = await harness.freshBox({
      volumes: [
        { hostPath: readable, guestPath: "/ro", readonly: true },
        { hostPath: writable, guestPath: "/rw", readonly: false },
        { hostPath: inner, guestPath: "/rw/inner", readonly: false },
      ],
    });
    expect(await harness.sh("cat /ro/file", box)).toBe("untouched");
    // One in another.
    expect(await harness.sh("cat /rw/inner/file", box)).toBe("inner");
    const attacks = [
      "echo evil > /ro/file",
      "touch /ro/new",
      "rm /ro/file",
      "chmod 777 /ro/file",
      "mv /ro/file /ro/moved",
      "mount -o remount,rw /ro; echo evil > /ro/file",
      "mount -o remount,rw,bind /ro; touch /ro/new",
      // The same share, mounted a second time and writable.
      "src=$(awk '$2 == \"/ro\" { print $1 }' /proc/mounts); type=$(awk '$2 == \"/ro\" { print $3 }' /proc/mounts); " +
        'mkdir -p /again; mount -t "$type" -o rw "$src" /again; echo evil > /again/file',
    ];
    for (const attack of attacks) {
      await harness.run(["sh", "-c", attack], {}, box);
      expect(await readFile(join(readable, "file"), "utf8"), attack).toBe("untouched");
      await expect(readFile(join(readable, "new")), attack).rejects.toMatchObject({ code: "ENOENT" });
    }
    await harness.sh("echo fine > /rw/file", box);
    expect(await readFile(join(writable, "file"), "utf8")).toBe("fine\n");
  });

  behaviour("a volume may be below what a box mounts itself, also after stop and start", needs, async () => {
    const volumes = [];
    for (const guestPath of ["/tmp/data", "/run/deep/data", "/dev/shm/data"]) {
      const hostPath = await hostDir();
      await writeFile(join(hostPath, "file"), guestPath);
      volumes.push({ hostPath, guestPath, readonly: guestPath === "/tmp/data" });
    }
    const box = await harness.freshBox({ volumes });
    const script =
      "cat /tmp/data/file; touch /tmp/data/new 2>/dev/null || echo; cat /run/deep/data/file; touch /run/deep/data/new; " +
      "cat /dev/shm/data/file";
    expect(await harness.sh(script, box)).toBe("/tmp/data\n/run/deep/data/dev/shm/data");
    await harness.engine.stop(box);
    await harness.engine.start(harness.specOf(box), { signal: never() });
    expect(await harness.sh(script, box)).toBe("/tmp/data\n/run/deep/data/dev/shm/data");
    expect(await harness.sh("rm /run/deep/data/new; ls /run/deep/data", box)).toBe("file");
  });

  behaviour("a symlink in a volume never leads out of it on the host", needs, async () => {
    const outer = await hostDir();
    const hostPath = join(outer, "shared");
    await mkdir(hostPath);
    await writeFile(join(outer, "secret"), "host secret");
    await symlink(join(outer, "secret"), join(hostPath, "absolute"));
    await symlink("../secret", join(hostPath, "relative"));
    const box = await harness.freshBox({ volumes: [{ hostPath, guestPath: "/data", readonly: false }] });
    for (const link of ["absolute", "relative"]) {
      expect((await harness.run(["cat", `/data/${link}`], {}, box)).stdout.toString()).toBe("");
      await harness.run(["sh", "-c", `echo evil > /data/${link}`], {}, box);
      expect(await readFile(join(outer, "secret"), "utf8")).toBe("host secret");
    }
    // And one that the box makes itself.
    await harness.sh(`ln -s ${join(outer, "secret")} /data/own`, box);
    expect((await harness.run(["cat", "/data/own"], {}, box)).stdout.toString()).toBe("");
  });

  behaviour("a volume whose host path is not there makes create reject, and leaves nothing", needs, async () => {
    const spec = harness.spec({ volumes: [{ hostPath: "/no/such/dir", guestPath: "/data", readonly: false }] });
    harness.removeAfterTest(spec.id);
    await expect(harness.create(spec)).rejects.toMatchObject({
      name: "BoxRunError",
      message: expect.stringContaining("/no/such/dir"),
    });
    expect(await harness.engine.listBoxes()).not.toContain(spec.id);
    expect(await harness.options.hostResidue(spec.id)).toEqual([]);
  });
}
