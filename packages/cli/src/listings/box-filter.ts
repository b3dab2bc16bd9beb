import type { Box } from "@boxrun/contract";
import { boxStatuses, resolveImageAlias } from "@boxrun/contract/plain";
import { InvalidArgumentError } from "commander";

export interface Filter {
  readonly key: string;
  readonly matches: (box: Box) => boolean;
}

/** What boxes can be picked by. A box may have several values that a key looks at. */
const filterKeys: Readonly<Record<string, (box: Box) => readonly string[]>> = {
  id: ({ id }) => [id],
  name: ({ name }) => [name ?? ""],
  status: ({ status }) => [status],
  image: ({ image }) => [image],
  digest: ({ image_digest }) => [image_digest ?? ""],
  engine: ({ engine }) => [engine],
  network: ({ network }) => (network ? ["on", "true"] : ["off", "false"]),
  volume: ({ volumes }) => (volumes ?? []).flatMap(({ host_path, guest_path }) => [host_path, guest_path]),
  env: ({ env }) => Object.entries(env ?? {}).flatMap(([name, value]) => [name, `${name}=${value}`]),
  error: ({ error_code }) => [error_code ?? ""],
  label: ({ labels }) => Object.entries(labels ?? {}).flatMap(([name, value]) => [name, `${name}=${value}`]),
};

export const filterNames: readonly string[] = Object.keys(filterKeys);

/** `KEY=GLOB`, added to those before it. */
export function boxFilter(text: string, previous: readonly Filter[] = []): Filter[] {
  const split = text.indexOf("=");
  const key = split === -1 ? text : text.slice(0, split);
  const valuesOf = Object.hasOwn(filterKeys, key) ? filterKeys[key] : undefined;
  if (split === -1 || valuesOf === undefined) {
    throw new InvalidArgumentError(`It must be KEY=VALUE, with KEY one of ${filterNames.join(", ")}.`);
  }
  const value = text.slice(split + 1);
  if (key === "status" && !value.includes("*") && !boxStatuses.some((status) => status === value)) {
    throw new InvalidArgumentError(`A status is one of ${boxStatuses.join(", ")}.`);
  }
  const pattern = glob(key === "image" ? resolveImageAlias(value) : value);
  // A box has one value of a label, so that only several of one label are alternatives.
  const subject = key === "label" ? `label ${value.split("=", 1)[0]}` : key;
  return [...previous, { key: subject, matches: (box) => valuesOf(box).some((one) => pattern.test(one)) }];
}

/** Filters of one key are alternatives; all keys must match. */
export function matchesAll(filters: readonly Filter[], box: Box): boolean {
  const keys = new Set(filters.map(({ key }) => key));
  return [...keys].every((key) => filters.some((filter) => filter.key === key && filter.matches(box)));
}

/** `*` is anything, also nothing, `?` one character. */
function glob(pattern: string): RegExp {
  const source = pattern.replace(/[\\^$.*+?()[\]{}|]/g, (one) => (one === "*" ? ".*" : one === "?" ? "." : `\\${one}`));
  return new RegExp(`^${source}$`, "s");
}
