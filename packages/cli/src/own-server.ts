import type { Command } from "commander";
import { CliError } from "./failure.ts";
import { targetOf } from "./session.ts";
import { addressOf, isOwn, type OwnTarget } from "./target.ts";

/** The server of this user on this host. NOT_THIS_HOST if the command was told of another one: that is managed where it runs. */
export function ownServer(command: Command, what: string): OwnTarget {
  const target = targetOf(command);
  if (isOwn(target)) return target;
  const name = target.context === undefined ? "" : ` of context ${target.context}`;
  throw new CliError(
    "NOT_THIS_HOST",
    `${what}: the server${name} at ${addressOf(target)} (${target.chosenBy}) is not managed from here`,
    "Manage it where it runs; `boxrun info` asks it how it is. For your own server: --context local.",
  );
}
