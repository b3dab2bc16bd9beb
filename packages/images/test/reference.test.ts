import { BoxRunError } from "@boxrun/contract";
import { describe, expect, test } from "vitest";
import { familiarReference, formatReference, isLoopback, parseReference } from "../src/registry/reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

describe("a reference means what it means to docker", () => {
  test.each([
    ["alpine", "docker.io/library/alpine:latest"],
    ["ubuntu:24.04", "docker.io/library/ubuntu:24.04"],
    ["grafana/loki", "docker.io/grafana/loki:latest"],
    ["docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20"],
    ["docker.io/alpine", "docker.io/library/alpine:latest"],
    ["registry.example/team/app:v1", "registry.example/team/app:v1"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"],
    [`alpine@${digest}`, `docker.io/library/alpine@${digest}`],
    [`alpine:3.20@${digest}`, `docker.io/library/alpine@${digest}`],
  ])("%s is %s", (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full);
  });
});

describe("what is no reference is refused before anything is started", () => {
  test.each([
    "",
    "-v",
    "--help",
    "Alpine",
    "a b",
    "a\0b",
    "a\nb",
    "alpine:",
    "alpine:-x",
    `alpine:${"x".repeat(129)}`,
    "alpine@sha256:abc",
    `alpine@md5:${"a".repeat(32)}`,
    `a@${digest}@${digest}`,
    "../etc/passwd",
    "a/../b",
    "/a",
    "a//b",
    "a/",
    "-host.example/a",
    "host.example:port/a",
    "host.example:999999/a",
    "user:secret@host.example/a",
    "https://host.example/a",
    "docker://alpine",
    "oci:/etc",
    `${"a".repeat(300)}`,
    "$(id)",
  ])("%j", (text) => {
    expect(() => parseReference(text)).toThrow(BoxRunError);
    expect(() => parseReference(text)).toThrow(/is not an image reference/);
  });
});

test.each([
  ["docker.io/library/alpine:3.20", "alpine:3.20"],
  ["docker.io/grafana/loki", "grafana/loki:latest"],
  ["registry.example/library/alpine:1", "registry.example/library/alpine:1"],
  ["localhost:5000/docker.io/a:1", "localhost:5000/docker.io/a:1"],
])("%s is written %s for people", (text, familiar) => {
  expect(familiarReference(parseReference(text))).toBe(familiar);
});

test.each([
  ["127.0.0.1:5000", true],
  ["127.9.9.9", true],
  ["localhost:5000", true],
  ["[::1]:5000", true],
  ["127.0.0.1.example", false],
  ["localhost.example", false],
  ["10.0.0.1:5000", false],
])("registry %s is on the loopback interface: %s", (registry, loopback) => {
  expect(isLoopback(registry)).toBe(loopback);
});
