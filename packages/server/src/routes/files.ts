import { posix } from "node:path";
import type { Readable } from "node:stream";
import { BoxRunError, type FileChange, toBoxRunError, uploadFormSchema } from "@boxrun/contract";
import type { FastifyRequest } from "fastify";
import type { Handlers } from "../register.ts";
import { sendContent } from "../send-content.ts";
import type { SseEvent } from "../sse.ts";
import { validate } from "../validation.ts";
import { answerEvents, type Context, callerSignal } from "./context.ts";
import { type Spool, spool } from "./spool.ts";

type FileHandlers = Pick<
  Handlers,
  | "uploadFile"
  | "downloadFile"
  | "listFiles"
  | "statFile"
  | "makeDirectory"
  | "watchFiles"
  | "renameFile"
  | "removeFile"
>;

export function fileHandlers(context: Context): FileHandlers {
  const { core, lifetime, logger, spoolDir, listings } = context;
  return {
    uploadFile: async ({ path, query, request, reply }) => {
      const signal = callerSignal(reply, lifetime);
      // Before gigabytes are spooled for nothing. By its id from here on, because a name may change hands.
      const { id } = core.boxes.get(path.id);
      const dest = await readForm(request, spoolDir, async (content, dest) => {
        const { archive, owner } = query;
        if (archive === "tar") await core.files.writeArchive(id, dest, content, { signal, owner });
        else await core.files.write(id, dest, content, { signal, owner });
      });
      return { ok: true, dest };
    },
    downloadFile: async ({ path, query, body, request, reply }) => {
      const signal = callerSignal(reply, lifetime);
      const name = posix.basename(body.path) || "root";
      const isTar = query.archive === "tar";
      const { content, size } = isTar
        ? { content: await core.files.readArchive(path.id, body.path, { signal, full: query.full }), size: undefined }
        : await core.files.read(path.id, body.path, { signal });
      const headers = isTar
        ? attachment("application/x-tar", `${name}.tar`)
        : attachment("application/octet-stream", name);
      request.happened?.({});
      const onError = (error: unknown) => logger.error({ req_id: request.id, err: error }, "download broke off");
      await sendContent(reply, content, { size, headers, onError });
      return reply;
    },
    listFiles: async ({ path, query, reply }) => {
      const signal = callerSignal(reply, lifetime);
      const { id } = core.boxes.get(path.id);
      const cutOff = () => reply.raw.destroy();
      return listings.during(core.files.list(id, query.path, { signal }), { boxId: id, signal, cutOff });
    },
    statFile: ({ path, query }) => core.files.stat(path.id, query.path, { follow: query.follow }),
    watchFiles: async ({ path, query, reply }) => {
      const signal = callerSignal(reply, lifetime);
      // While an error can still be answered.
      const changes = await core.files.watch(path.id, query.path, { recursive: query.recursive, signal });
      return answerEvents(reply, context, (stopped) => changeEvents(changes, stopped));
    },
    makeDirectory: async ({ path, body }) => {
      await core.files.makeDirectory(path.id, body.path, { parents: body.parents, owner: body.owner });
      return { ok: true };
    },
    renameFile: async ({ path, body }) => {
      await core.files.rename(path.id, body.path, body.to, { replace: body.replace });
      return { ok: true };
    },
    removeFile: async ({ path, query }) => {
      await core.files.remove(path.id, query.path);
      return { ok: true };
    },
  };
}

/** `stopped`: nobody is told of its end; a caller takes the watch up again at the next server. */
async function* changeEvents(
  changes: AsyncGenerator<readonly FileChange[], void>,
  stopped: AbortSignal,
): AsyncGenerator<readonly SseEvent[]> {
  yield [{ event: "ready", data: {} }];
  try {
    for await (const batch of changes) yield batch.map(({ event, ...data }) => ({ event, data }));
    yield [{ event: "end", data: {} }];
  } catch (error) {
    if (stopped.aborted) return;
    yield [{ event: "error", data: toBoxRunError(error, "RUNTIME_ERROR").toJSON() }];
  } finally {
    await changes.return();
  }
}

/**
 * Reads a form with `file` and `dest`, in either order: behind `dest` the file goes straight to `write`, before it it waits on disk.
 * Other parts are ignored. Resolves with `dest`.
 */
async function readForm(
  request: FastifyRequest,
  spoolDir: string,
  write: (content: Readable, dest: string) => Promise<void>,
): Promise<string> {
  if (!request.isMultipart())
    throw new BoxRunError("VALIDATION_ERROR", "body: must be multipart/form-data", { status: 400 });
  let dest: string | undefined;
  let waiting: Spool | undefined;
  let written = false;
  try {
    for await (const part of request.parts()) {
      if (part.type === "field") {
        if (part.fieldname === "dest" && dest === undefined) {
          dest = validate(uploadFormSchema, { dest: part.valueTruncated ? undefined : part.value }, "dest").dest;
        }
      } else if (part.fieldname !== "file" || written || waiting !== undefined) {
        part.file.resume();
      } else if (dest === undefined) {
        waiting = await spool(part.file, spoolDir);
      } else {
        await write(part.file, dest).catch((error: unknown) => {
          // A box can't say more of a form that breaks off than that its content failed.
          throw isFormError(part.file.errored) ? part.file.errored : error;
        });
        written = true;
      }
    }
    if (dest === undefined) throw missingField("dest");
    if (waiting !== undefined) await write(waiting.read(), dest);
    else if (!written) throw missingField("file");
    return dest;
  } catch (error) {
    throw isFormError(error) ? malformed(error) : error;
  } finally {
    await waiting?.[Symbol.asyncDispose]();
  }
}

/** busboy's errors have no class and no code. */
function isFormError(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof BoxRunError) && /multipart|boundary/i.test(error.message);
}

function malformed(error: Error): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", `body: is no valid form: ${error.message}`, { status: 400, cause: error });
}

function missingField(name: string): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", `${name}: is missing in the form`, { status: 400 });
}

function attachment(type: string, name: string): Readonly<Record<string, string>> {
  return { "content-type": type, "content-disposition": contentDisposition(name) };
}

/** RFC 6266: the name as it is for who knows RFC 8187, and in plain letters for who doesn't. */
export function contentDisposition(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9 ._-]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*!]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
