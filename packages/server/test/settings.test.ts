import { availableParallelism, homedir, totalmem } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSettings, type ServeFlags } from "../src/settings.ts";

describe("settings", () => {
  it("have the documented defaults", () => {
    const settings = readSettings({}, {});
    const stateDir = join(homedir(), ".boxrun");
    expect(settings).toMatchObject({
      stateDir,
      socketPath: join(stateDir, "boxrun.sock"),
      dbPath: join(stateDir, "boxrun.db"),
      cacheDir: join(homedir(), ".cache", "boxrun"),
      tcp: { host: "127.0.0.1", port: 9090, byDefault: true },
      maxCpu: 8 * availableParallelism(),
      engine: "auto",
      pool: [],
      token: null,
      basePath: "",
      history: { maxAgeMs: 90 * 86_400_000, maxEntries: 1_000_000 },
      historyArguments: "keep",
      outputLimitBytes: 64 * 1024 * 1024,
      readerStallMs: 60_000,
      retention: { maxAgeMs: 30 * 86_400_000, maxTotalBytes: 4 * 1024 ** 3 },
      logLevel: "info",
      logFile: null,
      stopBoxes: false,
    });
    expect(settings.maxMemoryMb).toBeGreaterThan(0);
    expect(settings.maxMemoryMb).toBeLessThanOrEqual(Math.floor((totalmem() * 0.8) / 1024 / 1024));
  });

  it.each(["a b", "https://boxes", "a,,b", ",", "boxes:port", "*"])("allow no host %j", (text) => {
    expect(() => readSettings({}, { BOXRUN_TOKEN: "t", BOXRUN_ALLOWED_HOSTS: text })).toThrow(
      "BOXRUN_ALLOWED_HOSTS must be host names",
    );
  });

  it.each(["boxrun", "/a b", "/a//b", "/../x", "/x/..", "/.", "/a?b", "https://h/x", "/%2e"])(
    "take no base path %j",
    (text) => {
      expect(() => readSettings({}, { BOXRUN_BASE_PATH: text })).toThrow("BOXRUN_BASE_PATH must be a path");
    },
  );

  it("have sizes of boxes that are kept ready, as `boxrun create` takes them", () => {
    const text = "2 base, 1 python:3.12 --cpu 4 -m 2g --disk=20 --network,0 r.example:5000/a/b@sha256:00";
    const usual = { cpu: 2, memoryMb: 1024, diskSizeGb: 8, network: false };
    expect(readSettings({}, { BOXRUN_POOL: text }).pool).toEqual([
      { ...usual, image: "base", count: 2 },
      { image: "python:3.12", cpu: 4, memoryMb: 2048, diskSizeGb: 20, network: true, count: 1 },
      { ...usual, image: "r.example:5000/a/b@sha256:00", count: 0 },
    ]);
  });

  it.each([
    ["base", "does not begin with how many"],
    ["2", "does not name one image"],
    ["2 base python", "does not name one image"],
    ["1001 base", "at most 1000"],
    ["2 base,", "does not begin with how many"],
    ["2 base --cpu 0", "cpu must be a positive integer"],
    ["2 base --memory much", "memory_mb"],
    ["2 base --disk 1500m", "disk_size_gb"],
    ["2 base -v /a:/b", "-v"],
  ])("keep nothing ready for %j", (text, why) => {
    expect(() => readSettings({}, { BOXRUN_POOL: text })).toThrow("BOXRUN_POOL must be sizes");
    expect(() => readSettings({}, { BOXRUN_POOL: text })).toThrow(why);
  });

  it("allow other hosts' names with a token alone", () => {
    expect(() => readSettings({}, { BOXRUN_ALLOWED_HOSTS: "boxes" })).toThrow("needs BOXRUN_TOKEN");
  });

  it("come from the environment, and rather from flags", () => {
    const env = {
      BOXRUN_STATE_DIR: "/s",
      BOXRUN_SOCKET: "/run/x.sock",
      BOXRUN_DB: "/db/x.db",
      BOXRUN_CACHE_DIR: "/c",
      BOXRUN_HOST: "::1",
      BOXRUN_PORT: "1234",
      BOXRUN_MAX_CPU: "3",
      BOXRUN_DISK_OVERCOMMIT: "3",
      BOXRUN_MAX_MEMORY_MB: "2048",
      BOXRUN_ENGINE: "qemu",
      BOXRUN_TOKEN: "secret",
      BOXRUN_ALLOWED_HOSTS: "Boxes.example.org, boxes:8443",
      BOXRUN_BASE_PATH: "/tools/boxrun/",
      BOXRUN_HISTORY_KEEP_DAYS: "7",
      BOXRUN_HISTORY_ARGUMENTS: "omit",
      BOXRUN_OUTPUT_LIMIT_MB: "1",
      BOXRUN_READER_STALL_S: "5",
      BOXRUN_PULL_IDLE_S: "7",
      BOXRUN_OUTPUT_KEEP_DAYS: "1",
      BOXRUN_OUTPUT_TOTAL_MB: "1",
      BOXRUN_LOG_LEVEL: "debug",
    };
    expect(readSettings({}, env)).toEqual({
      stateDir: "/s",
      socketPath: "/run/x.sock",
      dbPath: "/db/x.db",
      cacheDir: "/c",
      tcp: { host: "::1", port: 1234 },
      maxCpu: 3,
      maxMemoryMb: 2048,
      diskOvercommit: 3,
      pool: [],
      engine: "qemu",
      token: "secret",
      allowedHosts: ["boxes.example.org", "boxes:8443"],
      basePath: "/tools/boxrun",
      history: { maxAgeMs: 7 * 86_400_000, maxEntries: 1_000_000 },
      historyArguments: "omit",
      outputLimitBytes: 1024 * 1024,
      readerStallMs: 5_000,
      pullIdleTimeoutMs: 7_000,
      retention: { maxAgeMs: 86_400_000, maxTotalBytes: 1024 * 1024 },
      logLevel: "debug",
      logFile: null,
      stopBoxes: false,
    });
    const flags: ServeFlags = {
      stateDir: "/f",
      socket: "/f.sock",
      host: "localhost",
      port: 0,
      engine: "boxlite",
      logFile: "/log",
      logLevel: "warn",
      stopBoxes: true,
    };
    expect(readSettings(flags, env)).toMatchObject({
      stateDir: "/f",
      socketPath: "/f.sock",
      tcp: { host: "localhost", port: 0 },
      engine: "boxlite",
      logFile: "/log",
      logLevel: "warn",
      stopBoxes: true,
    });
    expect(readSettings({ tcp: false }, env).tcp).toBeNull();
  });

  it("take an empty variable for one that is not set, and a path from here", () => {
    expect(readSettings({}, { BOXRUN_PORT: "", BOXRUN_TOKEN: "" })).toMatchObject({ tcp: { port: 9090 }, token: null });
    expect(readSettings({ stateDir: "state" }, {}).stateDir).toBe(join(process.cwd(), "state"));
  });

  it.each([
    ["BOXRUN_PORT", "abc", /must be a port: .*, not "abc"$/],
    ["BOXRUN_PORT", "65536", /must be a port/],
    ["BOXRUN_PORT", "-1", /must be a port/],
    ["BOXRUN_PORT", "0x50", /must be a port/],
    ["BOXRUN_HOST", "a b", /must be an address or a host name/],
    ["BOXRUN_MAX_CPU", "0", /must be a positive whole number, not "0"$/],
    ["BOXRUN_MAX_CPU", "1.5", /must be a positive whole number/],
    ["BOXRUN_MAX_MEMORY_MB", "1e3", /must be a positive whole number/],
    ["BOXRUN_ENGINE", "docker", /must be one of auto, boxlite, qemu, not "docker"$/],
    ["BOXRUN_OUTPUT_LIMIT_MB", "0", /must be 1 to 1048576/],
    ["BOXRUN_LOG_LEVEL", "loud", /must be one of trace, debug/],
    ["BOXRUN_SOCKET", `/${"x".repeat(107)}`, /must be 107 bytes at most/],
    ["BOXRUN_STATE_DIR", "/a\0b", /must be a path/],
    ["BOXRUN_STATE_DIR", `/${"x".repeat(100)}`, /the path of its socket, .* is longer than 107 bytes/],
  ])("that do not parse are named: %s=%j", (name, value, message) => {
    const reading = () => readSettings({}, { [name]: value });
    expect(reading).toThrow(expect.objectContaining({ code: "VALIDATION_ERROR", details: { setting: name } }));
    expect(reading).toThrow(message);
  });

  it.each([
    ["--port", { port: "x" }],
    ["--host", { host: "" }],
    ["--engine", { engine: "docker" }],
    ["--log-level", { logLevel: "loud" }],
  ])("that do not parse are named by their flag: %s", (name, flags) => {
    expect(() => readSettings(flags, { BOXRUN_PORT: "1", BOXRUN_HOST: "::1" })).toThrow(
      `Cannot start the server: ${name} must be`,
    );
  });

  it("never show a token that does not parse", () => {
    expect(() => readSettings({}, { BOXRUN_TOKEN: "my secret" })).toThrow(
      /BOXRUN_TOKEN must be printable ASCII without spaces$/,
    );
  });
});
