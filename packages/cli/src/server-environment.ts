/** Where the network is left by: what skopeo and Go read. Either case. */
export const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] as const;

const names: ReadonlySet<string> = new Set([
  // Who this is, where programs and files are.
  ...["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LANGUAGE", "TZ"],
  ...proxyVariables.flatMap((name) => [name, name.toLowerCase()]),
  // Where certificates, registries' credentials and what their helpers need lie; not the credentials themselves.
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"],
  ...["DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "PASSWORD_STORE_DIR"],
  "NODE_OPTIONS",
]);
const prefixes = ["BOXRUN_", "XDG_", "LC_", "CONTAINERS_"];

/**
 * What a server in the background takes of the environment of the command that starts it: what it needs, and nothing else. It lives for
 * months, and that shell may have had somebody's tokens in it.
 */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))),
  );
}
