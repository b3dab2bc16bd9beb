import { z } from "zod";
import { Excerpt } from "../output/excerpt.ts";
import { telling } from "../progress.ts";
import { provideImage } from "../provide-image.ts";
import { defineTool } from "../tool.ts";
import { boxFields, command, given, outputLimit, timeoutSeconds } from "./inputs.ts";
import { outputText } from "./texts.ts";

const run = defineTool({
  name: "run",
  title: "Run one command in a box of its own",
  description:
    "Runs one command in a fresh Linux virtual machine that is gone afterwards, with everything in it. For code that nobody trusts, or whose traces " +
    "nobody wants. A command that fails is a result, not an error: see exit_code. What belongs together in several steps goes into a box of its own: box_create, then exec.",
  input: z.strictObject({
    command,
    ...boxFields,
    timeout_seconds: timeoutSeconds(300),
    output_limit: outputLimit,
  }),
  output: z.object({
    exit_code: z.int().nullable().describe("null: it did not come to its own end."),
    stdout: z.string(),
    stderr: z.string(),
    truncated: z.boolean().describe("Output is missing; where, the text says."),
    error: z.string().nullable().describe("Why it did not come to its own end: a timeout, for example."),
  }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  work: async ({ command, timeout_seconds, output_limit, ...box }, { client, signal, progress }) => {
    await provideImage(client, box.image, { signal, progress });
    const cmd = ["sh", "-c", command];
    using _ = telling(progress, () => "The command runs");
    const ended = await client.boxes.run(
      { ...given(box), cmd, timeout_ms: Math.ceil(timeout_seconds * 1000) },
      { signal },
    );
    const excerpts = { stdout: new Excerpt(output_limit), stderr: new Excerpt(output_limit) };
    const shown = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      excerpts[stream].add(ended[stream]);
      shown[stream] = excerpts[stream].text(
        ({ length }) =>
          `[… ${length} characters of ${stream} are left out here, and gone with the box. To have all of it, use box_create and exec …]`,
      );
    }
    const { exit_code, error_message: error } = ended;
    const truncated = ended.truncated === true || Object.values(excerpts).some(({ gap }) => gap !== undefined);
    return {
      text: outputText(error === null ? `exit code ${exit_code}` : `no regular end: ${error}`, shown),
      structured: { exit_code, ...shown, truncated, error },
    };
  },
});

export const runTools = [run];
