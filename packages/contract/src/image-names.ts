/** Short names for images that people start from. `base` ships with BoxRun and needs no registry. */
export const imageAliases: Readonly<Record<string, string>> = {
  default: "ubuntu:24.04",
  ubuntu: "ubuntu:24.04",
  python: "python:3.12-slim",
  node: "node:22-slim",
  golang: "golang:1.22",
  rust: "rust:1.77-slim",
  alpine: "alpine:3.20",
};

export const baseImageReference = "base";

export function resolveImageAlias(reference: string): string {
  return Object.hasOwn(imageAliases, reference) ? (imageAliases[reference] ?? reference) : reference;
}

/** Whether to pull an image before a box is made of it. */
export const pullPolicies = ["missing", "always", "never"] as const;
export type PullPolicy = (typeof pullPolicies)[number];
