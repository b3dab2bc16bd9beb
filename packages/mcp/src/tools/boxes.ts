import { boxStatuses } from "@boxrun/contract/plain";
import type { Box } from "boxrun-sdk";
import { z } from "zod";
import { provideImage } from "../provide-image.ts";
import { defineTool } from "../tool.ts";
import { box, boxFields, given } from "./inputs.ts";
import { boxLine } from "./texts.ts";

const boxOutput = z.object({
  id: z.string(),
  name: z.string().nullable(),
  status: z.enum(boxStatuses),
  image: z.string(),
  cpu: z.int(),
  memory_mb: z.int(),
  disk_size_gb: z.int(),
  network: z.boolean(),
  workdir: z.string(),
  created_at: z.string(),
  error: z.string().nullable().describe("What is wrong with it, if anything is."),
});

/** Not its variables: there may be secrets in them, and a model has no need of those. */
function shown(box: Box): z.output<typeof boxOutput> {
  const { id, name, status, image, cpu, memory_mb, disk_size_gb, network, workdir, created_at } = box;
  const error = box.error_message ?? box.unreachable ?? box.impaired ?? null;
  return { id, name, status, image, cpu, memory_mb, disk_size_gb, network, workdir, created_at, error };
}

const create = defineTool({
  name: "box_create",
  title: "Create a box",
  description:
    "Makes a box, a Linux virtual machine of its own, and waits until it runs (a second or so; the first use of an image downloads it). " +
    "Its files and programs stay between calls, until box_remove. Use it for whatever takes several steps; for one command, `run` is enough.",
  input: z.strictObject({
    ...boxFields,
    name: z.string().optional().describe("To call it by: letters, digits, `-`, `_` and `.`. Default: one is made up."),
    workdir: z.string().optional().describe("Where commands run. Default: the image's own, else /root."),
  }),
  output: boxOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  work: async (input, { client, boxes, signal, progress }) => {
    await provideImage(client, input.image, { signal, progress });
    progress(`Creating a box of ${input.image}`);
    const made = await boxes.create(given(input), signal);
    return { text: boxLine(made), structured: shown(made) };
  },
});

const list = defineTool({
  name: "box_list",
  title: "List boxes",
  description:
    "The boxes that there are, newest first, also those that others have made. Boxes that are stopped keep their files.",
  input: z.strictObject({ status: z.enum(boxStatuses).optional().describe("Only those in this state.") }),
  output: z.object({ boxes: z.array(boxOutput), total: z.int() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  work: async ({ status }, { client, signal }) => {
    const all = await client.boxes.list({ status, signal });
    const first = all.slice(0, maxListed);
    const rest = all.length - first.length;
    const lines = [...first.map(boxLine), ...(rest > 0 ? [`[and ${rest} older ones]`] : [])];
    const none = status === undefined ? "There are no boxes; box_create makes one." : `No box is ${status}.`;
    return {
      text: all.length === 0 ? none : lines.join("\n"),
      structured: { boxes: first.map(shown), total: all.length },
    };
  },
});

const maxListed = 100;

const stop = defineTool({
  name: "box_stop",
  title: "Stop a box",
  description:
    "Ends all programs in a box and turns it off, which gives its CPU and memory back. Its files stay, and box_start brings it back.",
  input: z.strictObject({ box }),
  output: boxOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  work: async (input, { client, signal }) => {
    const stopped = await client.boxes.stop(input.box, { signal });
    const killed = stopped.killed?.map(({ name }) => name) ?? [];
    const note = killed.length === 0 ? "" : `\nHad to be killed: ${killed.join(", ")}`;
    return { text: boxLine(stopped) + note, structured: shown(stopped) };
  },
});

const start = defineTool({
  name: "box_start",
  title: "Start a stopped box",
  description:
    "Starts a box that was stopped or has died, with the files that it had. Programs that ran in it do not come back.",
  input: z.strictObject({ box }),
  output: boxOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  work: async (input, { client, signal }) => {
    const started = await client.boxes.start(input.box, { signal });
    return { text: boxLine(started), structured: shown(started) };
  },
});

const remove = defineTool({
  name: "box_remove",
  title: "Remove a box for good",
  description: "Removes a box and all of its files, which nothing brings back. A running one only with force: true.",
  input: z.strictObject({ box, force: z.boolean().default(false).describe("Also if it runs. Default: false.") }),
  output: z.object({ id: z.string(), name: z.string().nullable(), removed: z.literal(true) }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  work: async (input, { boxes, signal }) => {
    const { id, name } = await boxes.remove(input.box, { force: input.force, signal });
    return { text: `${name ?? id} (${id}) is gone`, structured: { id, name, removed: true as const } };
  },
});

export const boxTools = [create, list, stop, start, remove];
