import type { Box, Exec } from "@boxrun/contract";
import { boxListing, statusCell } from "../listings/boxes.ts";
import { execListing } from "../listings/execs.ts";
import { fieldList, listTable, valuePrinter } from "../output/format.ts";
import { addShowSecrets, maskOf } from "../output/masked.ts";
import type { Cell } from "../output/table.ts";
import { age } from "../output/text.ts";
import { addressText } from "../port-mapping.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

/** The newest ones. */
const shownExecs = 10;

export function define(command: Verb): void {
  addShowSecrets(command.argument("<box...>", "names or ids"))
    .option("-f, --format <format>", "json, yaml, or a template like '{{.box.status}}'")
    .addHelpText(
      "after",
      `
Shows a box and its latest execs; with --json an array of {"box", "execs"}, which is what templates name fields of.
Values of variables whose names tell of secrets, as API_TOKEN's does, and of those that were given with --secret-env, are shown as ***
unless --show-secrets is given; those of an exec's --secret-env always.

Examples:
  $ boxrun inspect dev
  $ boxrun inspect --format '{{.box.status}} {{.box.image}}' dev
  $ boxrun inspect --json dev | jq '.[0].box.error_message'
`,
    )
    .action((boxes: string[], options: { readonly showSecrets?: boolean }) => {
      const mask = maskOf(options);
      const printFormat = valuePrinter<Inspected>(command, { box: boxListing.fields, execs: null });
      return withServer(command, "inspect", async (session) => {
        const { client, signal } = session;
        const inspect = async (name: string) => {
          const [box, execs] = await Promise.all([
            client.boxes.get(name, { signal, showSecrets: options.showSecrets }),
            client.execs.list(name, { signal }),
          ]);
          return { box: mask(box), execs: execs.map(mask) };
        };
        await forEachNamed(session, "inspect", boxes, inspect, description, printFormat);
      });
    });
}

interface Inspected {
  readonly box: Box;
  readonly execs: readonly Exec[];
}

function description({ box, execs }: Inspected): string {
  const shown = execs.slice(0, shownExecs);
  const execTable = shown.length === 0 ? "" : `\n${listTable(execListing, shown)}`;
  return `${fieldList(boxFields(box))}${execTable}`;
}

function boxFields(box: Box): [string, Cell][] {
  const optional: [string, string | null][] = [
    ["unreachable", box.unreachable ?? null],
    ["impaired", box.impaired ?? null],
    ["error", box.error_message === null ? null : `${box.error_code}: ${box.error_message}`],
    ["started", box.started_at === null ? null : when(box.started_at)],
    ["stopped", box.stopped_at === null ? null : when(box.stopped_at)],
    [
      "env",
      box.env === null
        ? null
        : Object.entries(box.env)
            .map(([name, value]) => `${name}=${value}`)
            .join(" "),
    ],
    [
      "labels",
      Object.entries(box.labels ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
    ],
    [
      "expires",
      box.expires_at === undefined
        ? null
        : `${box.expires_at}, and is ${box.on_expiry === "remove" ? "removed" : "stopped"}`,
    ],
    [
      "ports",
      (box.ports ?? [])
        .map(({ host_ip, host_port, guest_port }) => `${addressText(host_ip, host_port)} → ${guest_port}`)
        .join(", "),
    ],
    [
      "volumes",
      box.volumes?.map((one) => `${one.host_path}:${one.guest_path}${one.readonly ? ":ro" : ""}`).join(" ") ?? null,
    ],
  ];
  return [
    ["id", box.id],
    ["name", box.name ?? "-"],
    ["status", statusCell(box)],
    ["image", box.image_digest === null ? box.image : `${box.image} (${box.image_digest})`],
    ["engine", box.engine],
    ["size", `${box.cpu} CPU, ${box.memory_mb} MB memory, ${box.disk_size_gb} GB disk`],
    ["network", box.network ? "on" : "off"],
    ["workdir", box.workdir],
    ["created", when(box.created_at)],
    ...optional.flatMap(([name, value]): [string, Cell][] => (value === null || value === "" ? [] : [[name, value]])),
  ];
}

function when(timestamp: string): string {
  return `${timestamp} (${age(timestamp)})`;
}
