import { okSchema } from "../box.ts";
import { errorBodySchema } from "../error-body.ts";
import {
  changesMissingSchema,
  pathChangeSchema,
  pathRenamedSchema,
  watchMarkSchema,
  watchQuerySchema,
} from "../file-changes.ts";
import {
  downloadQuerySchema,
  downloadRequestSchema,
  fileEntrySchema,
  fileListSchema,
  makeDirectoryRequestSchema,
  pathQuerySchema,
  renameRequestSchema,
  statQuerySchema,
  uploadFormSchema,
  uploadQuerySchema,
  uploadResponseSchema,
} from "../files.ts";
import type { Operation } from "./operation.ts";
import { boxCounts, boxNeeded, json, jsonBody } from "./parts.ts";

export const fileOperations = {
  uploadFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/upload",
    tag: "files",
    summary:
      "Write a file into a box, making its parents; with `archive=tar`, unpack a tar into a directory. What is new belongs to the box's user, or as the tar says; `owner` says otherwise",
    query: uploadQuerySchema,
    body: { kind: "form", schema: uploadFormSchema, fileDescription: "The file's content, or a tar." },
    response: json(uploadResponseSchema),
    errors: boxCounts,
  },
  downloadFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/download",
    tag: "files",
    summary: "Read a file from a box; with `archive=tar`, a directory as a tar",
    query: downloadQuerySchema,
    body: jsonBody(downloadRequestSchema),
    response: {
      kind: "bytes",
      mediaTypes: ["application/octet-stream", "application/x-tar"],
      description: "The file's content, or a tar.",
    },
    errors: [...boxCounts, "FILE_NOT_FOUND"],
  },
  listFiles: {
    method: "GET",
    path: "/v1/boxes/{id}/files",
    tag: "files",
    summary: "List a directory of a box",
    query: pathQuerySchema,
    response: json(fileListSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND"],
  },
  statFile: {
    method: "GET",
    path: "/v1/boxes/{id}/files/stat",
    tag: "files",
    summary: "What is at a path of a box: its entry as in a list, of a symlink itself unless `follow`",
    query: statQuerySchema,
    response: json(fileEntrySchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "NOT_SUPPORTED"],
  },
  makeDirectory: {
    method: "POST",
    path: "/v1/boxes/{id}/files/mkdir",
    tag: "files",
    summary: "Make a directory in a box, and with `parents` those on the way; it belongs to the box's user, or `owner`",
    body: jsonBody(makeDirectoryRequestSchema),
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "FILE_EXISTS", "NOT_SUPPORTED"],
  },
  renameFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/rename",
    tag: "files",
    summary: "Give a file or a directory another path in its file system, at once or not at all",
    body: jsonBody(renameRequestSchema),
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "FILE_EXISTS", "NOT_SUPPORTED"],
  },
  watchFiles: {
    method: "GET",
    path: "/v1/boxes/{id}/files/watch",
    tag: "files",
    summary: "Follow what happens to a file, in a directory, or with `recursive` in everything below it",
    query: watchQuerySchema,
    response: {
      kind: "events",
      events: {
        ready: watchMarkSchema,
        created: pathChangeSchema,
        changed: pathChangeSchema,
        removed: pathChangeSchema,
        renamed: pathRenamedSchema,
        overflow: changesMissingSchema,
        end: watchMarkSchema,
        error: errorBodySchema,
      },
    },
    errors: [...boxCounts, "FILE_NOT_FOUND", "NOT_SUPPORTED"],
  },
  removeFile: {
    method: "DELETE",
    path: "/v1/boxes/{id}/files",
    tag: "files",
    summary: "Remove a file or a whole directory from a box",
    query: pathQuerySchema,
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND"],
  },
} as const satisfies Record<string, Operation>;
