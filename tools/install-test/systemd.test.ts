import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultCacheDir } from "../../packages/host/src/cache-dir.ts";
import { makeArchive, makeDeb } from "../release/bundle.ts";
import { bootableDisk } from "./bootable.ts";
import type { Ended } from "./machine.ts";
import { packAll } from "./packages.ts";
import { SystemdHost } from "./systemd-vm.ts";

const cacheDir = defaultCacheDir();
const log = (line: string) => process.stdout.write(` install  ${line}\n`);
/** An emulated CPU emulates virtualisation: a box boots in a minute, and in several on a busy host. */
const patience = 1_800_000;

let scratch: string;
let host: SystemdHost;

beforeAll(async () => {
  const abort = new AbortController();
  scratch = await mkdtemp(join(tmpdir(), "br-systemd-"));
  const disk = await bootableDisk({ cacheDir, suite: "trixie", log, signal: abort.signal });
  log("packing boxrun and its guest");
  const [guest = "", boxrun = ""] = await packAll(join(scratch, "packed"), log);
  const files = join(scratch, "files");
  await mkdir(files);
  await makeArchive({ version: "0.0.1", boxrun, guest }, files, join(scratch, "archive"));
  await makeDeb({ version: "0.0.1", boxrun, guest }, files, join(scratch, "deb"));
  await copyFile(join(import.meta.dirname, "../release/install.sh"), join(files, "install.sh"));
  log("booting a VM with systemd");
  host = await SystemdHost.boot(disk, join(scratch, "vm"), { cacheDir, log, signal: abort.signal });
  await told(host.run("root", "mkdir -p /srv/boxrun"));
  for (const name of ["boxrun-0.0.1-linux-x64.tar.gz", "boxrun_0.0.1_amd64.deb", "install.sh"]) {
    await host.put(join(files, name), `/srv/boxrun/${name}`);
  }
  await told(host.run("root", "cd /srv/boxrun && sha256sum *.tar.gz >SHA256SUMS && sh install.sh"));
}, patience);
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

async function told(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const root = (command: string) => host.run("root", command);
const user = (command: string) => host.run("tester", command);

/** What runs of BoxRun's, by the names of the programs. */
async function processes(): Promise<string[]> {
  const names = await told(root("cat /proc/[0-9]*/comm | sort -u"));
  return names.split("\n").filter((name) => /qemu|boxrun|passt|virtiofsd|MainThread|^node/.test(name));
}

/** Gives the service's cgroup away, for its boxes to have their own in it. */
const delegation = "/etc/systemd/system/boxrun.service.d/cgroup.conf";

/** Counts until it is told to go. */
const counting = 'i=0; until [ -e /root/go ]; do i=$((i+1)); echo "$i"; sleep 0.1; done; echo "end $i"; exit 7';

test(
  "the host's service runs jailed boxes, each in a cgroup of its own, for a user who has its token, and says in the journal what it does",
  async () => {
    await told(root("boxrun server install --system"));
    // A template is a second boot.
    await told(root("printf 'BOXRUN_TEMPLATE_CACHE_MB=0\\nBOXRUN_CGROUP=own\\n' >>/etc/boxrun/environment"));
    await told(
      root(
        `mkdir -p ${dirname(delegation)} && printf '[Service]\\nDelegate=cpu memory pids\\nDelegateSubgroup=server\\n' >${delegation}`,
      ),
    );
    await told(root("systemctl daemon-reload && systemctl restart boxrun"));
    const token = await told(root("sed -n s/^BOXRUN_TOKEN=//p /etc/boxrun/environment"));
    const add = "boxrun context add host --host http://127.0.0.1:9090 --token-stdin && boxrun context use host";
    await told(host.run("tester", add, token));
    await expect.poll(async () => (await user("boxrun info")).code, { timeout: patience, interval: 1000 }).toBe(0);
    const id = (await told(user("boxrun create base --name dev --network --volume /srv/boxrun:/mnt:ro"))).trim();
    expect(await told(user("boxrun exec dev -- ls /mnt"))).toContain("SHA256SUMS\n");
    expect(JSON.parse(await told(user("boxrun info --json")))).toMatchObject({
      engine: {
        ready: true,
        accelerator: "kvm",
        confinement: { complete: true, how: expect.stringContaining("(cpu, memory, pids)") },
      },
    });
    const cgroup = `/sys/fs/cgroup/system.slice/boxrun.service/${id}`;
    const bounds = (await told(root(`cd ${cgroup} && cat memory.max pids.max cpu.weight`))).trim().split("\n");
    // The guest's and what its processes may take beside; two CPUs.
    expect(Number(bounds[0])).toBeGreaterThan(1024 ** 3);
    expect(Number(bounds[1])).toBeGreaterThan(0);
    expect(bounds[2]).toBe("200");
    const within = await told(root(`for pid in $(cat ${cgroup}/cgroup.procs); do cat /proc/$pid/comm; done | sort -u`));
    expect(within.trim().split("\n")).toEqual(
      expect.arrayContaining([expect.stringMatching(/^qemu/), expect.stringMatching(/^passt/)]),
    );
    const journal = await told(root("journalctl --unit boxrun --output cat --no-pager"));
    expect(journal).toContain('"msg":"serving"');
    expect(journal).toContain('"operation":"createBox"');
  },
  patience,
);

test(
  "a restart of the service is no concern of a box, nor of a command in it",
  async () => {
    const exec = (await told(user(`boxrun exec --detach dev -- sh -c '${counting}'`))).trim();
    await told(root("systemctl restart boxrun"));
    await expect
      .poll(async () => (await user("boxrun exec dev -- touch /root/go")).code, { timeout: patience })
      .toBe(0);
    expect(await user(`boxrun wait dev ${exec}`)).toMatchObject({ code: 7 });
    const lines = (await told(user(`boxrun logs dev ${exec}`))).trimEnd().split("\n");
    const count = lines.length - 1;
    expect(lines).toEqual([...Array.from({ length: count }, (_, index) => `${index + 1}`), `end ${count}`]);
  },
  patience,
);

test(
  "boxes go on from a template under KVM, too, with a volume and each as itself",
  async () => {
    await told(root("sed -i s/CACHE_MB=0/CACHE_MB=4096/ /etc/boxrun/environment && systemctl restart boxrun"));
    await expect.poll(async () => (await user("boxrun info")).code, { timeout: patience, interval: 1000 }).toBe(0);
    const create = async () =>
      (await told(user("boxrun create base --memory 256 --disk 1 --volume /srv/boxrun:/mnt:ro"))).trim();
    const journal = () => told(root("journalctl --unit boxrun --output cat --no-pager"));
    const ids = [await create()];
    for (const whose of ["boxes of this shape", "new boxes of this shape and image"]) {
      await expect
        .poll(journal, { timeout: patience, interval: 1000 })
        .toContain(`"msg":"${whose} start from a template from now on"`);
      ids.push(await create());
    }
    const [, ...resumed] = ids;
    for (const id of resumed) {
      expect(await told(root(`tr '\\0' ' ' </proc/$(pgrep --oldest --full 'qemu.* boxrun-${id} ')/cmdline`))).toContain(
        "-incoming",
      );
      expect(await told(user(`boxrun exec ${id} -- ls /mnt`))).toContain("SHA256SUMS\n");
    }
    const own = await Promise.all(
      ids.map((id) => told(user(`boxrun exec ${id} -- cat /proc/sys/kernel/random/boot_id`))),
    );
    expect(new Set(own).size).toBe(ids.length);
    await told(user(`boxrun rm --force ${ids.join(" ")}`));
  },
  patience,
);

test(
  "both services start with the host, and a box that ran is shown as one that does not",
  async () => {
    await told(user("boxrun --context local server install"));
    await told(root("loginctl enable-linger tester"));
    await told(user("boxrun exec dev -- sh -c 'echo kept >/root/note; sync'"));
    await host.reboot();
    expect(await told(root("systemctl is-active boxrun"))).toBe("active\n");
    await expect
      .poll(async () => (await user("boxrun --context local server status")).code, {
        timeout: patience,
        interval: 1000,
      })
      .toBe(0);
    expect(await told(user("systemctl --user is-active boxrun"))).toBe("active\n");
    // The user's server was first, and has left the port to the host's: that one answers, once it listens.
    await expect.poll(async () => (await user("boxrun info")).code, { timeout: patience, interval: 1000 }).toBe(0);
    const [box] = JSON.parse(await told(user("boxrun ls --json")));
    expect(box).toMatchObject({ name: "dev", status: "error" });
    await told(user("boxrun start dev"));
    expect(await told(user("boxrun exec dev -- cat /root/note"))).toBe("kept\n");
  },
  patience,
);

test(
  "uninstalled, the user's service leaves the server to the next command, and the host's one nothing when it is purged",
  async () => {
    await told(user("boxrun --context local server uninstall"));
    expect(await user("boxrun --context local server status")).toMatchObject({ code: 3 });
    await told(user("boxrun --context local uninstall --purge --yes"));
    expect(await told(root("boxrun server uninstall --system --purge"))).toContain("is removed. So are its boxes.");
    await told(root(`rm -r ${dirname(delegation)}`));
    await expect.poll(processes, { timeout: patience, interval: 1000 }).toEqual([]);
    const left =
      "ls -d /etc/systemd/system/boxrun* /etc/systemd/system/*/boxrun* /var/lib/boxrun /var/cache/boxrun /etc/boxrun";
    expect((await root(left)).stdout).toBe("");
    expect(await root("id boxrun")).toMatchObject({ code: 1 });
    await told(root("rm -r /usr/local/lib/boxrun /usr/local/bin/boxrun"));
  },
  patience,
);

test(
  "the Debian package's service serves when it is enabled, and purged it leaves nothing",
  async () => {
    await told(root("dpkg --install /srv/boxrun/boxrun_0.0.1_amd64.deb && systemctl enable --now boxrun"));
    const status = "runuser -u boxrun -- env BOXRUN_STATE_DIR=/var/lib/boxrun boxrun server status";
    await expect.poll(async () => (await root(status)).code, { timeout: patience, interval: 1000 }).toBe(0);
    await told(root("dpkg --purge boxrun"));
    await expect.poll(processes, { timeout: patience, interval: 1000 }).toEqual([]);
    expect((await root("ls -d /var/lib/boxrun /var/cache/boxrun /etc/boxrun /usr/lib/boxrun")).stdout).toBe("");
  },
  patience,
);
