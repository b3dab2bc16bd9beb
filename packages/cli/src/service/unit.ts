import { hostService } from "@boxrun/host";

/** Whose service it is: this user's own, or the host's with a user of its own. */
export type Scope = "user" | "system";

export const unitName = hostService.unitName;

/** Where a system service has its things, and who it is. */
export const system = {
  user: "boxrun",
  stateDir: "/var/lib/boxrun",
  cacheDir: "/var/cache/boxrun",
  environmentFile: "/etc/boxrun/environment",
} as const;

/**
 * What it runs with; the file of settings has the last word. It insists on its port: a user's server that starts with the host would otherwise have
 * it, be called by the others, and be shown their token.
 */
export const systemEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  BOXRUN_STATE_DIR: system.stateDir,
  BOXRUN_CACHE_DIR: system.cacheDir,
  BOXRUN_PORT: String(hostService.port),
} as const;

export interface UnitOptions {
  readonly scope: Scope;
  /** The words of the command that serves; absolute paths. */
  readonly command: readonly string[];
  /** What the server needs of this command's environment; of a system service, nothing but PATH. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the host has a group for /dev/kvm. */
  readonly hasKvmGroup: boolean;
}

/**
 * The text of the unit. Boxes are processes of it and outlive the server: so only the server is ended with it, and a box that the kernel ends for
 * want of memory ends nothing else. What would keep bubblewrap, passt and virtiofsd from making their own namespaces is not asked for: they confine more.
 * So there is no RestrictSUIDSGID either, which takes `openat2` away from every program, and bubblewrap's jails need that.
 */
export function unitText(options: UnitOptions): string {
  const { scope, command, environment } = options;
  const settings = Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  return [
    "[Unit]",
    "Description=BoxRun server",
    ...(scope === "system" ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${command.map(quoted).join(" ")}`,
    ...settings,
    "# Boxes run on when the server ends, and the next one takes them over.",
    "KillMode=process",
    "OOMPolicy=continue",
    "TasksMax=infinity",
    "Restart=on-failure",
    "RestartSec=2",
    "TimeoutStopSec=90",
    "UMask=0077",
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
    ...(scope === "system" ? systemLines(options.hasKvmGroup) : []),
    "",
    "[Install]",
    `WantedBy=${scope === "system" ? hostService.target : "default.target"}`,
    "",
  ].join("\n");
}

function systemLines(hasKvmGroup: boolean): readonly string[] {
  return [
    `User=${system.user}`,
    `Group=${system.user}`,
    ...(hasKvmGroup ? ["SupplementaryGroups=kvm"] : []),
    "StateDirectory=boxrun",
    "StateDirectoryMode=0700",
    "CacheDirectory=boxrun",
    "CacheDirectoryMode=0700",
    "# BOXRUN_TOKEN, and whatever else docs/settings.md has.",
    `EnvironmentFile=-${system.environmentFile}`,
    "CapabilityBoundingSet=",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "DevicePolicy=closed",
    "DeviceAllow=/dev/kvm rw",
    "PrivateTmp=yes",
    "# Directories for --volume: `systemctl edit boxrun`, and there ReadWritePaths=/srv/data below [Service].",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectKernelModules=yes",
    "ProtectClock=yes",
  ];
}

/** As systemd reads a word: `%` and `$` mean nothing but themselves. */
function quoted(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w./:=@%+,$-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll(/(["\\])/g, "\\$1")}"`;
}
