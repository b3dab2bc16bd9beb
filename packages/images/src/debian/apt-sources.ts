import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where this host gets its own distribution's packages from. */
export interface AptSource {
  /** `http:`, `https:` or `file:`. */
  readonly mirror: string;
  readonly suite: string;
  /** Absolute path of the keys that the mirror signs with, where the host's configuration names them. */
  readonly keyring: string | undefined;
}

/** The host's source of its own release; `undefined` if apt is not configured here. `root` is `/` but in tests. */
export async function hostAptSource(root = "/"): Promise<AptSource | undefined> {
  const release = await readFile(join(root, "etc/os-release"), "utf8").catch(() => "");
  const codename = /^VERSION_CODENAME="?([a-z0-9.-]+)"?$/m.exec(release)?.[1];
  const candidates: AptSource[] = [];
  for (const file of await sourceFiles(join(root, "etc/apt"))) {
    const text = await readFile(file, "utf8").catch(() => "");
    candidates.push(...(file.endsWith(".sources") ? parseDeb822(text) : parseOneLine(text)));
  }
  const own = candidates.find((source) => source.suite === codename);
  if (own?.keyring === undefined) return own;
  const isThere = await access(own.keyring).then(
    () => true,
    () => false,
  );
  return isThere ? own : { ...own, keyring: undefined };
}

async function sourceFiles(apt: string): Promise<string[]> {
  const names = await readdir(join(apt, "sources.list.d")).catch(() => []);
  const parts = names.filter((name) => /\.(list|sources)$/.test(name)).sort();
  return [join(apt, "sources.list"), ...parts.map((name) => join(apt, "sources.list.d", name))];
}

/** `deb [signed-by=/file] http://mirror/debian bookworm main contrib` */
function parseOneLine(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    const [, options = "", mirror = "", suite = "", components = ""] = match ?? [];
    if (!usable(mirror) || !components.split(/\s+/).includes("main")) return [];
    return [{ mirror, suite, keyring: keyringOf(/signed-by=(\S+)/.exec(options)?.[1]) }];
  });
}

/** Paragraphs of `Field: value`, as in debian.sources. */
function parseDeb822(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    if (!field("Types").includes("deb") || !field("Components").includes("main")) return [];
    if (field("Enabled").includes("no")) return [];
    const [mirror] = field("URIs").filter(usable);
    if (mirror === undefined) return [];
    const keyring = keyringOf(field("Signed-By")[0]);
    return field("Suites").map((suite) => ({ mirror, suite, keyring }));
  });
}

function usable(mirror: string): boolean {
  return /^(https?|file):\/\S+$/.test(mirror);
}

function keyringOf(value: string | undefined): string | undefined {
  return value?.startsWith("/") ? value : undefined;
}
