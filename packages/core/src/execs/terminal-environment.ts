import type { Environment } from "@boxrun/contract";

/**
 * What a program in a terminal, or a session's shell, gets where neither image, box nor caller chose a locale: UTF-8, as every terminal is today. Without one
 * Debian's bash, vim and less take each byte of an umlaut for a character. musl and glibc from 2.35 on (Debian's for longer) know C.UTF-8.
 */
export function terminalEnvironment(env: Environment): Environment {
  const hasLocale = ["LANG", "LC_ALL", "LC_CTYPE"].some((name) => env[name] !== undefined);
  return hasLocale ? env : { ...env, LANG: "C.UTF-8" };
}
