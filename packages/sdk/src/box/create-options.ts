import type { CreateBoxInput } from "@boxrun/contract";
import { type CamelCased, wireNames } from "../camel-case.ts";

type VolumeInput = NonNullable<CreateBoxInput["volumes"]>[number];

/** What a box is to be; everything has a default (2 CPUs, 1024 MB, a disk of 8 GB, no network). */
export type CreateBoxOptions = CamelCased<Omit<CreateBoxInput, "image" | "volumes">> & {
  /** Directories of the server's host, seen in the box. */
  readonly volumes?: readonly CamelCased<VolumeInput>[] | null | undefined;
};

export function createInput(image: string, options: CreateBoxOptions): CreateBoxInput {
  const { volumes, ...rest } = options;
  const input = wireNames<Omit<CreateBoxInput, "image" | "volumes">>(rest);
  return { ...input, image, ...(volumes && { volumes: volumes.map((volume) => wireNames<VolumeInput>(volume)) }) };
}
