import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { volumeSupport } from "../src/volumes/virtiofsd.ts";
import { boxSpec, create, never, sh } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
const support = await volumeSupport();
const root = mkdtempSync(join(tmpdir(), "bv-"));
afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  await host[Symbol.asyncDispose]();
});

describe.skipIf(support.kind === "none")("volumes", () => {
  const odd = join(root, `a,b c"d'e\\f=ü`);
  const link = join(root, "link");
  beforeAll(() => {
    mkdirSync(odd);
    mkdirSync(join(root, "target"));
    symlinkSync(join(root, "target"), link);
    writeFileSync(join(odd, "from-host"), "host\n");
    writeFileSync(join(root, "target/from-host"), "linked\n");
    writeFileSync(join(root, "secret"), "secret\n");
    // The box may write in it, and it must not be as powerful then.
    writeFileSync(join(odd, "host-setuid"), "");
    chmodSync(join(odd, "host-setuid"), 0o4755);
  });

  test("any directory name works, a symlink too; read-only is kept by the host, whatever the guest does", async () => {
    const engine = host.makeEngine();
    const volumes = [
      { hostPath: odd, guestPath: "/rw", readonly: false },
      { hostPath: link, guestPath: "/ro", readonly: true },
    ];
    const spec = boxSpec(host, { volumes });
    await create(engine, spec);

    expect(await sh(engine, spec.id, "cat /rw/from-host /ro/from-host")).toMatchObject({ stdout: "host\nlinked\n" });
    expect(
      (await sh(engine, spec.id, "echo guest > /rw/from-guest; mkdir /rw/dir; chmod 600 /rw/from-guest; sync")).code,
    ).toBe(0);
    expect(readFileSync(join(odd, "from-guest"), "utf8")).toBe("guest\n");
    // What the host changes is seen at the next look.
    writeFileSync(join(odd, "from-host"), "changed later\n");
    expect(await sh(engine, spec.id, "cat /rw/from-host")).toMatchObject({ stdout: "changed later\n" });

    expect((await sh(engine, spec.id, "echo x > /ro/from-host")).code).not.toBe(0);
    // Root in the guest can mount the share writable: the server of it still refuses.
    const forced = await sh(
      engine,
      spec.id,
      "mkdir /mnt2; mount -t virtiofs vol1 /mnt2 && (echo x > /mnt2/from-host; rm /mnt2/from-host; touch /mnt2/new; chmod 777 /mnt2/from-host)",
    );
    expect(forced.stderr).toMatch(/Read-only/i);
    expect(readFileSync(join(root, "target/from-host"), "utf8")).toBe("linked\n");
    // No way up out of the share, by name or by link.
    await sh(engine, spec.id, `ln -s ${root}/secret /rw/escape; ln -s ../secret /rw/escape2`);
    expect((await sh(engine, spec.id, "cat /rw/escape /rw/escape2 /rw/../secret")).stdout).toBe("");

    // Nothing that would give a user of the host root's powers; what else there is of files can be made.
    const refused = ["mknod null c 1 3", "mknod disk b 7 0", "chmod 4755 tool", "chmod g+s tool", "cp -p /setuid copy"];
    const makes = refused.map((make) => `${make} 2> /dev/null || echo "${make}: refused"`).join("; ");
    const special = await sh(
      engine,
      spec.id,
      `cp /bin/busybox /setuid; chmod 4755 /setuid; cd /rw; cp /bin/busybox tool; ${makes}; mknod pipe p; chmod 1777 dir; echo made; printf x >> host-setuid`,
    );
    expect(special.stdout).toBe(`${refused.map((make) => `${make}: refused\n`).join("")}made\n`);
    for (const name of readdirSync(odd)) {
      const found = lstatSync(join(odd, name));
      expect([name, found.mode & 0o6000, found.isCharacterDevice() || found.isBlockDevice()]).toEqual([name, 0, false]);
    }
    expect(lstatSync(join(odd, "pipe")).isFIFO()).toBe(true);

    await engine.stop(spec.id);
    expect(host.residue(spec.id).filter((thing) => !thing.startsWith("file"))).toEqual([]);
    await engine.start(spec, { signal: never() });
    expect(await sh(engine, spec.id, "cat /rw/from-guest")).toMatchObject({ stdout: "guest\n" });

    await engine.close();
    const next = host.makeEngine();
    expect(await next.adopt(spec, { signal: never() })).toEqual({ state: "running" });
    expect(await sh(next, spec.id, "cat /rw/from-guest")).toMatchObject({ stdout: "guest\n" });
    await next.remove(spec.id);
    expect(host.residue(spec.id)).toEqual([]);
    await next.close();
  });

  test("a host path that is a file, and more volumes than there is room for, fail with the reason, and nothing is left", async () => {
    const engine = host.makeEngine();
    const file = boxSpec(host, { volumes: [{ hostPath: join(root, "secret"), guestPath: "/x", readonly: true }] });
    await expect(create(engine, file)).rejects.toMatchObject({ message: expect.stringContaining("not a directory") });
    const volume = { hostPath: odd, guestPath: "/x", readonly: true };
    const many = boxSpec(host, { volumes: Array.from({ length: 25 }, () => volume) });
    await expect(create(engine, many)).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.stringContaining("room for 24"),
    });
    expect(await engine.listBoxes()).toEqual([]);
    expect([...host.residue(file.id), ...host.residue(many.id)]).toEqual([]);
    await engine.close();
  });

  test("as many volumes as are promised fit into a VM, beside a network", async () => {
    const engine = host.makeEngine();
    const volumes = Array.from({ length: 24 }, (_, index) => ({
      hostPath: odd,
      guestPath: `/v${index}`,
      readonly: true,
    }));
    const spec = boxSpec(host, { volumes, network: true });
    await create(engine, spec);
    expect((await sh(engine, spec.id, "cat /v0/from-host /v23/from-host; ls /sys/class/net")).stdout).toMatch(
      /^.*\n.*\neth0\nlo\n$/,
    );
    // Whose server ends is told by its name.
    const impaired = new Promise<string | undefined>((resolve) => {
      engine.onImpairment?.((boxId) => resolve(engine.impairment?.(boxId)));
    });
    process.kill(host.helperPids(spec.id)[23] ?? 0, "SIGKILL");
    expect(await impaired).toMatch(/^the volume \/v23 does not work: .* has ended/);
    await engine.remove(spec.id);
    expect(host.residue(spec.id)).toEqual([]);
    await engine.close();
  });
});
