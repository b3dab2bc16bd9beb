import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../../packages/images/src/debian/run-tool.ts";
import { vmFiles } from "./qemu.ts";

/** Makes the two key pairs of one boot in the VM's directory: ours, and the VM's own, by which we know it. */
export async function makeKeys(dir: string, signal: AbortSignal): Promise<void> {
  for (const name of [vmFiles.clientKey, vmFiles.hostKey]) {
    const args = ["-q", "-t", "ed25519", "-N", "", "-C", "boxrun-outer-vm", "-f", join(dir, name)];
    await runTool("ssh-keygen", args, { operation: "make keys for the outer VM", signal });
  }
}

/** With it, `ssh -F <file> outer` reaches the VM; so does every program that uses ssh. */
export async function writeSshConfig(dir: string, port: number): Promise<void> {
  const knownHosts = join(dir, "known_hosts");
  const [type, key] = (await readFile(join(dir, `${vmFiles.hostKey}.pub`), "utf8")).split(" ");
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${type} ${key}\n`);
  const lines = [
    "Host outer",
    "  HostName 127.0.0.1",
    `  Port ${port}`,
    "  User root",
    `  IdentityFile "${join(dir, vmFiles.clientKey)}"`,
    "  IdentitiesOnly yes",
    `  UserKnownHostsFile "${knownHosts}"`,
    "  StrictHostKeyChecking yes",
    "  LogLevel ERROR",
    // Handshakes take an emulated CPU a second: later ones share the first one's connection.
    "  ControlMaster auto",
    `  ControlPath "${join(dir, "ssh.sock")}"`,
    "  ControlPersist 60",
    "  ServerAliveInterval 30",
    "  ServerAliveCountMax 10",
  ];
  await writeFile(join(dir, vmFiles.sshConfig), `${lines.join("\n")}\n`);
}

export interface SshRun {
  /** What the remote standard input gets; default: nothing. */
  readonly stdin?: "inherit" | NodeJS.ReadableStream;
  readonly stdout?: "inherit" | ((chunk: Buffer) => void);
  readonly tty?: boolean;
  readonly signal: AbortSignal;
}

/** Runs a shell command in the VM as root; its exit code, or 255 if the connection fails. Rejects when `signal` aborts. */
export async function ssh(dir: string, command: string, options: SshRun): Promise<number> {
  options.signal.throwIfAborted();
  const { stdin, stdout = "inherit" } = options;
  const child = spawn("ssh", ["-F", join(dir, vmFiles.sshConfig), ...(options.tty ? ["-t"] : []), "outer", command], {
    stdio: [
      stdin === "inherit" ? "inherit" : stdin === undefined ? "ignore" : "pipe",
      stdout === "inherit" ? "inherit" : "pipe",
      "inherit",
    ],
  });
  const kill = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", kill, { once: true });
  if (stdout !== "inherit") child.stdout?.on("data", stdout);
  if (stdin !== undefined && stdin !== "inherit" && child.stdin !== null) {
    // A command that ends early closes its input: its exit code says the rest.
    child.stdin.on("error", () => undefined);
    stdin.pipe(child.stdin);
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    options.signal.throwIfAborted();
    return code ?? 255;
  } finally {
    options.signal.removeEventListener("abort", kill);
  }
}

/** Whether the VM's SSH server lets us in by now. */
export async function answers(dir: string, signal: AbortSignal): Promise<boolean> {
  const child = spawn("ssh", ["-F", join(dir, vmFiles.sshConfig), "-o", "ConnectTimeout=20", "outer", "true"], {
    stdio: "ignore",
    signal,
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0));
  });
}

/** One word for a POSIX shell. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
