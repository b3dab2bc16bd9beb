import type { Environment } from "@boxrun/contract";
import { maskedValue } from "@boxrun/contract/plain";
import { type Command, Option } from "commander";

/** The variables as they may be shown on a screen, or in the log of a build. */
export function maskedEnvironment(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, maskedValue(name, value)]));
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
