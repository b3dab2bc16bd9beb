import { BoxRunError, type HistoryEntry, type HistoryQuery, maskedCommand, type OperationId } from "@boxrun/contract";
import type { BoxRunCore, HistoryRecord, HistoryStore, Page } from "@boxrun/core";
import type { FastifyRequest } from "fastify";
import type { Caller } from "../auth/guard.ts";
import { type AskedFor, recorded, text } from "./actions.ts";

export interface HistoryOptions {
  readonly store: HistoryStore;
  /** Whether the arguments of commands are kept, and not their programs alone. */
  readonly keepsArguments: boolean;
}

type Parts = HistoryOptions & { readonly core: Pick<BoxRunCore, "boxes"> };

/** How a call has ended, or that it has begun and goes on. */
interface Outcome {
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Longer ones are cut: in characters, of one word and of all of a command. */
const maxWord = 500;
const maxCommand = 4_000;

/** Writes down what is done to boxes, and by whom. */
export class HistoryRecorder {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** To be told, once, what has become of a call; `undefined` if that is nobody's business. */
  begin(request: FastifyRequest, id: OperationId, asked: AskedFor): ((outcome: Outcome) => void) | undefined {
    const rule = recorded[id];
    const { caller } = request;
    if (rule === undefined || caller === undefined) return undefined;
    const atMs = Date.now();
    // It may be gone afterwards.
    const boxName = this.#nameOf(request.subject?.box_id) ?? text(asked.body, "name") ?? null;
    const target = rule.target?.(asked) ?? null;
    const cmd = rule.cmd ? this.#command(asked.body) : null;
    let isWritten = false;
    return ({ result, error }) => {
      if (isWritten) return;
      isWritten = true;
      const { subject } = request;
      // Nothing came of it that anybody could ask about.
      if (error !== undefined && subject?.box_id === undefined && rule.action !== "run") return;
      this.#parts.store.append({
        atMs,
        boxId: subject?.box_id ?? null,
        boxName,
        action: rule.action,
        target: clipped(target ?? text(result, "dest") ?? null),
        cmd,
        execId: subject?.exec_id ?? null,
        caller: { kind: caller.kind, uid: uidOf(caller) },
        userAgent: clipped(request.headers["user-agent"] ?? null),
        errorCode: error === undefined ? null : error instanceof BoxRunError ? error.code : "INTERNAL_ERROR",
      });
    };
  }

  /** Newest first, and where the next page begins. */
  page({ box, after, limit, cursor }: HistoryQuery): Page<HistoryEntry> {
    const before = cursor === undefined ? undefined : Number(cursor);
    const records = this.#parts.store.list({ box: this.#meant(box), after, before, limit });
    const oldest = records.at(-1);
    const items = records.map(shown);
    return { items, next: oldest === undefined || records.length < limit ? undefined : String(oldest.seq) };
  }

  /** A box that is there, by whatever it is called; else what was called so. */
  #meant(box: string | undefined): { readonly id: string } | { readonly name: string } | undefined {
    if (box === undefined) return undefined;
    try {
      return { id: this.#parts.core.boxes.get(box).id };
    } catch (error) {
      if (!(error instanceof BoxRunError)) throw error;
      return box.startsWith("box_") ? { id: box } : { name: box };
    }
  }

  #nameOf(boxId: string | undefined): string | undefined {
    if (boxId === undefined) return undefined;
    try {
      return this.#parts.core.boxes.get(boxId).name ?? undefined;
    } catch (error) {
      if (error instanceof BoxRunError) return undefined;
      throw error;
    }
  }

  #command(body: unknown): string[] | null {
    if (typeof body !== "object" || body === null || !("cmd" in body) || !Array.isArray(body.cmd)) return null;
    const words = maskedCommand(body.cmd.map(String));
    if (!this.#parts.keepsArguments) return words.slice(0, 1).map((word) => clipped(word));
    const kept: string[] = [];
    let left = maxCommand;
    for (const word of words) {
      if (left <= 0) return [...kept, "…"];
      kept.push(clipped(word));
      left -= word.length;
    }
    return kept;
  }
}

function uidOf(caller: Caller): number | null {
  return caller.kind === "token" ? null : caller.uid;
}

function clipped<Text extends string | null>(word: Text): Text | string {
  return word !== null && word.length > maxWord ? `${word.slice(0, maxWord)}…` : word;
}

function shown(record: HistoryRecord): HistoryEntry {
  return {
    seq: record.seq,
    at: new Date(record.atMs).toISOString(),
    box_id: record.boxId,
    box_name: record.boxName,
    action: record.action,
    target: record.target,
    cmd: record.cmd === null ? null : [...record.cmd],
    exec_id: record.execId,
    caller: record.caller,
    user_agent: record.userAgent,
    error_code: record.errorCode,
  };
}
