import { posix } from "node:path";
import type { Environment } from "@boxrun/contract";
import type { ImageConfig, ImageDescription } from "@boxrun/core";
import { hostArchitecture } from "../oci/platform.ts";
import type { Config } from "../oci/schemas.ts";

/** What of an image's config is a default for a box. What makes no sense is dropped, not an error: images in the wild are sloppy. */
export function toImageConfig({ config }: Config): ImageConfig {
  const env: Environment = {};
  for (const variable of config?.Env ?? []) {
    const equals = variable.indexOf("=");
    if (equals > 0 && !variable.includes("\0")) env[variable.slice(0, equals)] = variable.slice(equals + 1);
  }
  const user = config?.User ?? "";
  const workdir = config?.WorkingDir ?? "";
  return {
    env,
    user: user === "" || user.includes("\0") ? null : user,
    workdir: workdir === "" || workdir.includes("\0") ? null : posix.join("/", workdir),
  };
}

/** What the image runs by itself: its Entrypoint with its Cmd behind; `undefined` if it has neither, or one that can't be run. */
export function ownCommand({ config }: Config): readonly string[] | undefined {
  const command = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])];
  return command.length === 0 || command.some((word) => word.includes("\0")) ? undefined : command;
}

/** What a config says of the image beside what is a default for a box. */
export function toDescription({ os, architecture, variant, config }: Config): ImageDescription {
  const platform = [os, architecture, variant].filter((part) => part !== "").join("/");
  return {
    platform: platform === "" ? "unknown" : platform,
    entrypoint: config?.Entrypoint ?? null,
    cmd: config?.Cmd ?? null,
  };
}

/** Why an image is not for this host. */
export class OtherPlatformError extends Error {}

/** Why the image's programs can't run on this host's VMs; `undefined` if they can. */
export function platformProblem({ os, architecture }: Config): string | undefined {
  const runs = hostArchitecture === "amd64" ? ["amd64", "386", ""] : [hostArchitecture, ""];
  if ((os === "linux" || os === "") && runs.includes(architecture)) return undefined;
  return `the image is made for ${os}/${architecture}, boxes on this host run linux/${hostArchitecture}`;
}
