import type { CreateBoxInput } from "@boxrun/contract";
import { type CamelCased, wireNames } from "../camel-case.ts";

type VolumeInput = NonNullable<CreateBoxInput["volumes"]>[number];
type PortInput = NonNullable<CreateBoxInput["ports"]>[number];
type PlainInput = Omit<CreateBoxInput, "image" | "volumes" | "ports" | "secret_env">;

/** What a box is to be; everything has a default (2 CPUs, 1024 MB, a disk of 8 GB, no network). */
export type CreateBoxOptions = CamelCased<PlainInput> & {
  /** Which variables of `env` are shown as `***`. */
  readonly secretEnv?: readonly string[] | null | undefined;
  /** Directories of the server's host, seen in the box. */
  readonly volumes?: readonly CamelCased<VolumeInput>[] | null | undefined;
  /** Ports of the server's host that lead into the box; `hostPort` 0: one that is free, which the box's `info` tells. */
  readonly ports?: readonly CamelCased<PortInput>[] | null | undefined;
};

export function createInput(image: string, options: CreateBoxOptions): CreateBoxInput {
  const { volumes, ports, secretEnv, ...rest } = options;
  return {
    ...wireNames<PlainInput>(rest),
    image,
    ...(secretEnv && { secret_env: [...secretEnv] }),
    ...(volumes && { volumes: volumes.map((volume) => wireNames<VolumeInput>(volume)) }),
    ...(ports && { ports: ports.map((port) => wireNames<PortInput>(port)) }),
  };
}
