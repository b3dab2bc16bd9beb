import type { z } from "zod";

export const boxMissing = ["BOX_NOT_FOUND"] as const;
export const boxNeeded = ["BOX_NOT_FOUND", "BOX_NOT_RUNNING", "BOX_UNREACHABLE", "RUNTIME_ERROR"] as const;
/** Programs and transfers of one box are counted. */
export const boxCounts = [...boxNeeded, "RESOURCE_EXCEEDED"] as const;
export const sessionMissing = ["BOX_NOT_FOUND", "SESSION_NOT_FOUND"] as const;
export const execMissing = ["BOX_NOT_FOUND", "EXEC_NOT_FOUND"] as const;
export const execNeeded = [...execMissing, "EXEC_ALREADY_FINISHED", "RUNTIME_ERROR"] as const;
export const bringUp = ["RESOURCE_EXCEEDED", "IMAGE_PULL_FAILED", "TIMEOUT", "CANCELED", "RUNTIME_ERROR"] as const;

/** Of what can be sent again under its key. */
export const repeatable = ["IDEMPOTENCY_KEY_REUSED"] as const;

export const json = <S extends z.ZodType>(schema: S) => ({ kind: "json", status: 200, schema }) as const;
export const created = <S extends z.ZodType>(schema: S) => ({ kind: "json", status: 201, schema }) as const;
export const jsonBody = <S extends z.ZodType>(schema: S) => ({ kind: "json", schema }) as const;
