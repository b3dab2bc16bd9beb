import type { Environment } from "@boxrun/contract";
import { type Command, Option } from "commander";

/** What is shown in place of a secret. */
const mask = "***";

/** Names whose values are secrets, as far as a name tells: rather one too many. PWD and KEYBOARD are none. */
const secretName =
  /token|secret|passw|passphrase|credential|(^|[_-])(pass|auth)($|[_-])|[_-]pwd($|[_-])|(^|[_-]|api|access|private|secret)keys?($|[_-])/i;

/** The password of an address: `postgres://user:password@host`. */
const passwordInAddress = /(:\/\/[^/?#\s:@]*:)[^/?#\s@]+@/g;

/** The variables as they may be shown on a screen, or in the log of a build. */
export function maskedEnvironment(env: Environment): Environment {
  const shown = Object.entries(env).map(([name, value]) => [
    name,
    secretName.test(name) && value !== "" ? mask : value.replace(passwordInAddress, `$1${mask}@`),
  ]);
  return Object.fromEntries(shown);
}

/** A box or an exec with its variables as they may be shown. */
export function masked<Thing extends { readonly env: Environment | null }>(thing: Thing): Thing {
  return thing.env === null ? thing : { ...thing, env: maskedEnvironment(thing.env) };
}

export function addShowSecrets(command: Command): Command {
  return command.addOption(new Option("--show-secrets", "show the values of variables whose names tell of secrets"));
}

/** `masked`, unless secrets were asked for. */
export function maskOf(options: { readonly showSecrets?: boolean }): typeof masked {
  return options.showSecrets ? (thing) => thing : masked;
}
