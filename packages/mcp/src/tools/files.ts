import type { FileEntry } from "boxrun-sdk";
import { z } from "zod";
import { ToolError } from "../errors.ts";
import { LinesFrom } from "../output/lines.ts";
import { defineTool } from "../tool.ts";
import { readWhole, textOf } from "./file-content.ts";
import { box, path } from "./inputs.ts";

/** What goes into a model at once. */
const maxReadLength = 60_000;
const maxPictureBytes = 4 * 1024 * 1024;
/** What a call can carry, and an edit has in memory. */
const maxEditBytes = 8 * 1024 * 1024;
const maxEntries = 500;

const pictures: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};

const read = defineTool({
  name: "file_read",
  title: "Read a file",
  description:
    "A text file of a running box, by lines; pictures (PNG, JPEG, GIF, WebP) are shown. Of a long file it gives the first 2000 lines and says where to go on.",
  input: z.strictObject({
    box,
    path,
    line: z.int().positive().default(1).describe("The first line to read. Default: 1."),
    lines: z.int().positive().max(20_000).default(2000).describe("At most so many. Default: 2000."),
  }),
  output: z.object({
    path: z.string(),
    size_bytes: z.int().nullable(),
    content: z.string().describe("Empty for a picture."),
    first_line: z.int(),
    next_line: z.int().nullable().describe("Where to go on; null at the end of the file."),
  }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  work: async (input, { client, signal }) => {
    const { path } = input;
    const mimeType = pictures[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
    const { sizeBytes, content } = await client.files.download(input.box, path, { signal });
    const size_bytes = sizeBytes ?? null;
    if (mimeType !== undefined) {
      const bytes = await readWhole(content, { path, limitBytes: maxPictureBytes });
      const structured = { path, size_bytes: bytes.length, content: "", first_line: 1, next_line: null };
      const picture = { type: "image", data: bytes.toString("base64"), mimeType } as const;
      return { text: `${path}: a picture of ${bytes.length} bytes`, structured, content: [picture] };
    }
    const reader = new LinesFrom(input.line, { lines: input.lines, length: maxReadLength });
    const decoder = textOf(path);
    let isWhole = true;
    for await (const chunk of content) {
      reader.add(decoder.decode(chunk));
      if (!reader.isFull) continue;
      isWhole = false;
      break;
    }
    if (isWhole) reader.add(decoder.end());
    const { text, next } = reader;
    if (reader.isCutInLine)
      throw new ToolError(
        `Line ${input.line} of ${path} is longer than ${maxReadLength} characters. Read a part of it with exec: \`cut -c 1-2000\`, for example.`,
      );
    if (text === "" && input.line > 1)
      throw new ToolError(`${path} has no line ${input.line}: it ends before that. Read from an earlier line.`);
    const more = next === null ? "" : `${text.endsWith("\n") ? "" : "\n"}[more behind this: go on with line ${next}]`;
    return {
      text: text === "" ? `[${path} is empty]` : text + more,
      structured: { path, size_bytes, content: text, first_line: input.line, next_line: next },
    };
  },
});

const written = z.object({ path: z.string(), size_bytes: z.int() });

const write = defineTool({
  name: "file_write",
  title: "Write a file",
  description:
    "Writes a file of a running box whole, and makes the directories above it. What was there is replaced; to change a part of it, file_edit.",
  input: z.strictObject({
    box,
    path,
    content: z.string(),
    encoding: z
      .enum(["utf-8", "base64"])
      .default("utf-8")
      .describe("base64: `content` is bytes in base64. Default: utf-8."),
  }),
  output: written,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  work: async ({ box, path, content, encoding }, { client, signal }) => {
    if (encoding === "base64" && !z.base64().safeParse(content.replace(/\s/g, "")).success)
      throw new ToolError("`content` is not base64. Correct it, or leave `encoding` out to write it as text.");
    const bytes = Buffer.from(content, encoding === "base64" ? "base64" : "utf8");
    await client.files.upload(box, path, bytes, { signal });
    return { text: `Wrote ${bytes.length} bytes to ${path}`, structured: { path, size_bytes: bytes.length } };
  },
});

const edit = defineTool({
  name: "file_edit",
  title: "Change a part of a file",
  description:
    "Replaces a piece of a text file in a running box by another. old_text has to be in the file exactly as given, spaces and all, and only once, unless replace_all is true: give enough of the lines around it.",
  input: z.strictObject({
    box,
    path,
    old_text: z.string().min(1).describe("As file_read shows it."),
    new_text: z.string(),
    replace_all: z.boolean().default(false).describe("Every place where it is. Default: false."),
  }),
  output: written.extend({ replaced: z.int().describe("In how many places.") }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  work: async ({ box, path, old_text, new_text, replace_all }, { client, signal }) => {
    if (old_text === new_text) throw new ToolError("old_text and new_text are the same: there is nothing to change.");
    const download = await client.files.download(box, path, { signal });
    const bytes = await readWhole(download.content, { path, limitBytes: maxEditBytes });
    const decoder = textOf(path);
    const before = decoder.decode(bytes) + decoder.end();
    const pieces = before.split(old_text);
    const found = pieces.length - 1;
    if (found === 0)
      throw new ToolError(
        `old_text is not in ${path}. Read the file with file_read and copy the piece exactly: spaces, tabs and line ends count.`,
      );
    if (found > 1 && !replace_all)
      throw new ToolError(
        `old_text is in ${path} ${found} times. Give more of the lines around the one that you mean, or replace_all: true for all of them.`,
      );
    const after = Buffer.from(pieces.join(new_text));
    await client.files.upload(box, path, after, { signal });
    const places = found === 1 ? "one place" : `${found} places`;
    return {
      text: `Changed ${path} in ${places}`,
      structured: { path, size_bytes: after.length, replaced: found },
    };
  },
});

const list = defineTool({
  name: "file_list",
  title: "List a directory",
  description: "What a directory of a running box holds, by name. Below it: exec with `find`.",
  input: z.strictObject({ box, path }),
  output: z.object({
    path: z.string(),
    entries: z.array(
      z.object({
        name: z.string(),
        type: z.enum(["file", "dir", "symlink", "other"]),
        size_bytes: z.int(),
        mode: z.string().describe('Permission bits in octal: "0644".'),
        modified_at: z.string(),
        target: z.string().optional().describe("Where a symlink points."),
      }),
    ),
    total: z.int(),
  }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  work: async ({ box, path }, { client, signal }) => {
    const all = await client.files.list(box, path, { signal });
    const entries = all.slice(0, maxEntries).map(({ name, type, size, mode, mtime, target }) => ({
      ...{ name, type, size_bytes: size, mode, modified_at: mtime },
      ...(target === undefined ? {} : { target }),
    }));
    const rest = all.length - entries.length;
    const lines = all.slice(0, maxEntries).map(entryLine);
    if (rest > 0) lines.push(`[and ${rest} more: use exec with ls or find to narrow it down]`);
    return {
      text: all.length === 0 ? `[${path} is empty]` : lines.join("\n"),
      structured: { path, entries, total: all.length },
    };
  },
});

const marks: Readonly<Record<FileEntry["type"], string>> = { file: "", dir: "/", symlink: "", other: "" };

function entryLine({ name, type, size, mode, target }: FileEntry): string {
  const points = target === undefined ? "" : ` -> ${target}`;
  return `${mode} ${String(size).padStart(10)} ${name}${marks[type]}${points}`;
}

export const fileTools = [read, write, edit, list];
