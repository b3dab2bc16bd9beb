import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { findProgram } from "../skopeo/programs.ts";
import type { Reference } from "./reference.ts";

/** The parts of docker's config.json that skopeo does not understand itself. */
const dockerConfigSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

const credentialsSchema = z.object({ Username: z.string(), Secret: z.string() });

/** Docker keeps the conventional registry's account under this name in its config and its helpers. */
const legacyNames: Readonly<Record<string, string>> = { "docker.io": "https://index.docker.io/v1/" };

const helperDeadlineMs = 20_000;

/**
 * Options that tell skopeo where credentials are. It reads `~/.docker/config.json` on its own, but not the one that DOCKER_CONFIG
 * names, and it does not ask the credential helper that docker keeps accounts in by default (`credsStore`): what that one says goes to
 * a file in `scratchDir`, for this user's eyes only, which lives as long as the pull.
 */
export async function authFileOptions(reference: Reference, scratchDir: string): Promise<string[]> {
  if (process.env.REGISTRY_AUTH_FILE !== undefined) return [];
  const directory = process.env.DOCKER_CONFIG;
  const file = join(directory ?? join(homedir(), ".docker"), "config.json");
  const config = await readConfig(file);
  if (config === undefined) return [];
  const names = [reference.registry, legacyNames[reference.registry] ?? reference.registry];
  const inFile = names.some((name) => (config.auths?.[name]?.auth ?? "") !== "");
  const helper =
    names.map((name) => config.credHelpers?.[name]).find((name) => name !== undefined) ?? config.credsStore;
  if (!inFile && helper !== undefined) {
    for (const name of new Set(names)) {
      const found = await askHelper(helper, name);
      if (found === undefined) continue;
      const authFile = join(scratchDir, "auth.json");
      await writeFile(authFile, JSON.stringify({ auths: { [reference.registry]: found } }), { mode: 0o600 });
      return ["--src-authfile", authFile];
    }
  }
  return directory === undefined ? [] : ["--src-authfile", file];
}

/** A config that is missing or not docker's is none: skopeo says what it thinks of it. */
async function readConfig(file: string): Promise<z.infer<typeof dockerConfigSchema> | undefined> {
  try {
    return dockerConfigSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** `docker-credential-<helper> get`; `undefined` where it is not installed, knows nothing of the server or takes too long. */
async function askHelper(
  helper: string,
  server: string,
): Promise<{ auth: string } | { identitytoken: string } | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) return undefined;
  const program = findProgram(`docker-credential-${helper}`);
  if (program === undefined) return undefined;
  try {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], timeout: helperDeadlineMs });
    child.stdin.on("error", () => undefined);
    child.stdin.end(server);
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const answer = credentialsSchema.parse(JSON.parse(await Promise.race([text(child.stdout), failed])));
    if (answer.Username === "<token>") return { identitytoken: answer.Secret };
    return { auth: Buffer.from(`${answer.Username}:${answer.Secret}`).toString("base64") };
  } catch {
    return undefined;
  }
}
