import type { Busybox } from "./busybox.ts";

/** One entry of the base image's only layer. */
export type RootEntry =
  | { readonly type: "directory"; readonly path: string; readonly mode: number; readonly owner?: number }
  | { readonly type: "file"; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly type: "symlink"; readonly path: string; readonly target: string };

export const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const boxUser = 1000;

/** Read by shells that somebody types into: through ENV, since those of a box are no login shells. In the environment PS1 itself would tell scripts that somebody does. */
export const shellSetUp = "/etc/shrc";

const directories: readonly (readonly [path: string, mode: number, owner?: number])[] = [
  ["dev", 0o755],
  ["etc", 0o755],
  ["etc/ssl", 0o755],
  ["etc/ssl/certs", 0o755],
  ["home", 0o755],
  ["home/box", 0o755, boxUser],
  ["mnt", 0o755],
  ["opt", 0o755],
  ["proc", 0o555],
  ["root", 0o700],
  ["run", 0o755],
  ["srv", 0o755],
  ["sys", 0o555],
  ["tmp", 0o1777],
  ["usr", 0o755],
  ["usr/bin", 0o755],
  ["usr/lib", 0o755],
  ["usr/local", 0o755],
  ["usr/local/bin", 0o755],
  ["usr/local/sbin", 0o755],
  ["usr/sbin", 0o755],
  ["usr/share", 0o755],
  ["var", 0o755],
  ["var/cache", 0o755],
  ["var/lib", 0o755],
  ["var/log", 0o755],
  ["var/tmp", 0o1777],
];

const texts: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
box:x:${boxUser}:${boxUser}:box:/home/box:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`,
  "etc/group": `root:x:0:
daemon:x:1:
tty:x:5:
disk:x:6:
users:x:100:
box:x:${boxUser}:
nogroup:x:65534:
`,
  "etc/hosts": `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
`,
  "etc/nsswitch.conf": `passwd: files
group: files
shadow: files
hosts: files dns
`,
  "etc/profile": `export PATH=${basePath} ENV=${shellSetUp}
for script in /etc/profile.d/*.sh; do
  [ -r "$script" ] && . "$script"
done
unset script
`,
  [shellSetUp.slice(1)]:
    `# The prompt names the box, unless one was given: both shells have one of their own before they read this.
case $PS1 in
'\\w \\$ ' | '\\s-\\v\\$ ' | '# ' | '$ ' | '') PS1='\\H:\\w\\$ ' ;;
esac
`,
  // Debian's bash reads this one, and ENV only when it is called sh.
  "etc/bash.bashrc": `. ${shellSetUp}\n`,
  "usr/lib/os-release": `NAME="BoxRun base"
PRETTY_NAME="BoxRun base"
ID=boxrun-base
ID_LIKE=busybox
VERSION_ID=1
`,
};

/** Accounts without a password: nobody logs in with one, `su` from root needs none. */
const shadow = "root:*:::::::\ndaemon:*:::::::\nbox:*:::::::\nnobody:*:::::::\n";

const links: Readonly<Record<string, string>> = {
  bin: "usr/bin",
  sbin: "usr/sbin",
  lib: "usr/lib",
  "var/run": "/run",
  "etc/mtab": "/proc/self/mounts",
  "etc/os-release": "../usr/lib/os-release",
};

const certificatesPath = "etc/ssl/certs/ca-certificates.crt";

export interface BaseParts {
  readonly busybox: Busybox;
  /** The bundle of public authorities, where there is one. */
  readonly certificates: Buffer | undefined;
  /** What the image has besides, as `readPrograms` gives it: directories, files and links in their order. */
  readonly programs: readonly RootEntry[];
}

/** Everything in the base image, parents first. */
export function baseRootfs({ busybox, certificates, programs }: BaseParts): readonly RootEntry[] {
  const entries: RootEntry[] = directories.map(([path, mode, owner = 0]) => ({ type: "directory", path, mode, owner }));
  for (const [path, target] of Object.entries(links)) entries.push({ type: "symlink", path, target });
  for (const [path, text] of Object.entries(texts)) {
    entries.push({ type: "file", path, mode: 0o644, content: Buffer.from(text) });
  }
  entries.push({ type: "file", path: "etc/shadow", mode: 0o600, content: Buffer.from(shadow) });
  const shells = ["/bin/sh", "/bin/ash", ...(hasBash(programs) ? ["/bin/bash"] : [])];
  entries.push({ type: "file", path: "etc/shells", mode: 0o644, content: Buffer.from(`${shells.join("\n")}\n`) });
  if (certificates !== undefined) {
    entries.push({ type: "file", path: certificatesPath, mode: 0o644, content: certificates });
    entries.push({ type: "symlink", path: "etc/ssl/cert.pem", target: "certs/ca-certificates.crt" });
  }
  // busybox's applets su and passwd look up accounts with root's rights only where the file is setuid; it isn't, as in Debian.
  entries.push({ type: "file", path: "usr/bin/busybox", mode: 0o755, content: busybox.content });
  const taken = new Set(entries.map(({ path }) => path));
  entries.push(...programs.filter(({ path }) => !taken.has(path)));
  for (const { path } of programs) taken.add(path);
  return [...entries, ...busybox.applets.map(appletLink).filter(({ path }) => !taken.has(path))];
}

export function hasBash(programs: readonly RootEntry[]): boolean {
  return programs.some(({ path }) => path === "usr/bin/bash");
}

/** `applet` as busybox gives its place: `bin/ls`, `usr/bin/awk`, `sbin/init`. /bin and /sbin are merged into /usr. */
function appletLink(applet: string): RootEntry {
  const path = applet.startsWith("usr/") ? applet : `usr/${applet}`;
  return { type: "symlink", path, target: path.startsWith("usr/sbin/") ? "../bin/busybox" : "busybox" };
}
