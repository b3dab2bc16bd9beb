import { BoxRunError } from "@boxrun/contract";

/**
 * Image references as docker reads them: `[registry/]path[:tag][@digest]`.
 *
 * What stands before the first slash is a registry only if it has a dot, a colon or upper case in it, or is `localhost`.
 */
export interface Reference {
  /** `host` or `host:port`. */
  readonly registry: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Where a reference without a registry points, by a convention that docker began and everybody keeps. */
const conventionalRegistry = "docker.io";
/** Paths of one part on that registry lie in this name space. */
const conventionalNamespace = "library";
const defaultTag = "latest";

const host =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const pathPart = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Parses what a person wrote. VALIDATION_ERROR says which part is wrong. */
export function parseReference(text: string): Reference {
  const [named = "", digest, ...more] = text.split("@");
  if (more.length > 0) throw invalid(text, "it has more than one '@'");
  if (digest !== undefined && !digestPattern.test(digest))
    throw invalid(text, "its digest must be sha256: and 64 hex digits");
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const [name, tag] = colon === -1 ? [named, undefined] : [named.slice(0, colon), named.slice(colon + 1)];
  if (tag !== undefined && !tagPattern.test(tag)) {
    throw invalid(text, "its tag must be 1 to 128 letters, digits, '_', '.' or '-', and not begin with '.' or '-'");
  }
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  const hasRegistry = first === "localhost" || /[.:A-Z]/.test(first);
  const registry = hasRegistry ? first : conventionalRegistry;
  const path = hasRegistry ? name.slice(slash + 1) : name;
  if (!host.test(registry)) throw invalid(text, `${JSON.stringify(registry)} is not a registry's host name`);
  const parts = path.split("/");
  if (path.length > 255 || !parts.every((part) => pathPart.test(part))) {
    throw invalid(text, "its name must be of lower-case letters and digits, separated by '.', '_', '-' and '/'");
  }
  const full = registry === conventionalRegistry && parts.length === 1 ? `${conventionalNamespace}/${path}` : path;
  return { registry, path: full, tag, digest };
}

/** The complete reference. Where there is a digest, a tag would say nothing more and is left out. */
export function formatReference({ registry, path, tag, digest }: Reference): string {
  return `${registry}/${path}${digest === undefined ? `:${tag ?? defaultTag}` : `@${digest}`}`;
}

/** The shortest text that means the same, which is what people write: `docker.io/library/alpine:3.20` becomes `alpine:3.20`. */
export function familiarReference(reference: Reference): string {
  const full = formatReference(reference);
  const withoutRegistry = full.replace(`${conventionalRegistry}/`, "");
  if (withoutRegistry === full || reference.registry !== conventionalRegistry) return full;
  return withoutRegistry.replace(new RegExp(`^${conventionalNamespace}/(?=[^/]+$)`), "");
}

/** Registries on this host's loopback interface are spoken to without TLS, as docker does. */
export function isLoopback(registry: string): boolean {
  const name = registry.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function invalid(text: string, why: string): BoxRunError {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return new BoxRunError("VALIDATION_ERROR", `image: ${shown} is not an image reference: ${why}`);
}
