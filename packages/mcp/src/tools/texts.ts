import type { Box } from "boxrun-sdk";

/** A command's end and its output, for a model. */
export function outputText(end: string, output: { readonly stdout: string; readonly stderr: string }): string {
  const parts = [
    output.stdout === "" ? "" : withNewline(output.stdout),
    output.stderr === "" ? "" : `[stderr]\n${withNewline(output.stderr)}`,
  ].filter((part) => part !== "");
  return `${parts.length === 0 ? "[no output]\n" : parts.join("")}[${end}]`;
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

export function boxLine(box: Box): string {
  const about = [box.status, `image ${box.image}`, `${box.cpu} CPU`, `${box.memory_mb} MB`];
  const network = box.network ? "with network" : "no network";
  const trouble = box.error_message ?? box.unreachable ?? box.impaired;
  return `${box.name ?? box.id} (${box.id}): ${[...about, network].join(", ")}${trouble === undefined || trouble === null ? "" : `; ${trouble}`}`;
}
