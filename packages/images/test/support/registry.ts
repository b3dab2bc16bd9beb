import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hostArchitecture } from "../../src/oci/platform.ts";
import { makeImage, skopeo } from "./make-image.ts";

export { startBrake } from "./brake.ts";

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** The file in which it keeps a blob. */
  blobFile(digest: string): string;
  /** Pushes an image made for the occasion; returns its manifest's digest. */
  push(name: string, image: Parameters<typeof makeImage>[1]): Promise<string>;
  /** Lists images of the same repository for several platforms: this host's the last, others before. */
  pushIndex(name: string, digests: readonly string[]): Promise<void>;
  /** Pushes the image of an OCI layout tar. */
  pushArchive(name: string, tarFile: string): Promise<void>;
}

/** bcrypt of "secret": docker-registry takes no weaker hash. */
const htpasswdLine = "someone:$2b$05$sCrKD.byskyNQYI.iF.H0upkT9qcjEiL7YEdPQFZXWIvKFbVz9Pfe\n";
export const account = { user: "someone", password: "secret" };

/** Debian's docker-registry on a free port of the loopback interface. */
export async function startRegistry(options: { readonly private?: boolean } = {}): Promise<Registry> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-registry-"));
  const auth = options.private ? { auth: { htpasswd: { realm: "test", path: join(dir, "htpasswd") } } } : {};
  await writeFile(join(dir, "htpasswd"), htpasswdLine);
  const config = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, "data") } },
    http: { addr: "127.0.0.1:0" },
    ...auth,
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const server = spawn("docker-registry", ["serve", join(dir, "config.yml")], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = async () => {
    const ended = once(server, "close");
    if (server.exitCode === null && server.kill("SIGKILL")) await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const address = await listening(server);
    const login = options.private ? ["--dest-creds", `${account.user}:${account.password}`] : [];
    const blobFile = (digest: string) => {
      const hex = digest.slice("sha256:".length);
      return join(dir, "data/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    };
    return {
      address,
      blobFile,
      pushArchive: async (name, tarFile) => {
        const target = `docker://${address}/${name}`;
        await skopeo(
          "--insecure-policy",
          "copy",
          "-q",
          "--dest-tls-verify=false",
          ...login,
          `oci-archive:${tarFile}`,
          target,
        );
      },
      push: async (name, image) => {
        const layout = await mkdtemp(join(dir, "push-"));
        const digest = await makeImage(layout, image);
        const source = `oci:${layout}:image`;
        const options = ["--dest-tls-verify=false", "--dest-oci-accept-uncompressed-layers", "--preserve-digests"];
        await skopeo("--insecure-policy", "copy", "-q", ...options, ...login, source, `docker://${address}/${name}`);
        return digest;
      },
      pushIndex: async (name, digests) => {
        const [path = "", tag = ""] = name.split(":");
        const mediaType = "application/vnd.oci.image.manifest.v1+json";
        const manifests = digests.map((digest, index) => ({
          mediaType,
          digest,
          size: statSync(blobFile(digest)).size,
          platform: { os: "linux", architecture: index === digests.length - 1 ? hostArchitecture : "s390x" },
        }));
        const type = "application/vnd.oci.image.index.v1+json";
        const answer = await fetch(`http://${address}/v2/${path}/manifests/${tag}`, {
          method: "PUT",
          headers: { "content-type": type },
          body: JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }),
        });
        if (!answer.ok) throw new Error(`the registry refused an index: ${await answer.text()}`);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first line that says where it listens. */
async function listening(server: ReturnType<typeof spawn>): Promise<string> {
  if (server.stderr === null) throw new Error("docker-registry has no stderr");
  const said: string[] = [];
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    const address = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (address === undefined) continue;
    server.stderr.resume();
    return address;
  }
  throw new Error(`docker-registry did not start: ${said.join("\n")}`);
}
