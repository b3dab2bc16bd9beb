import type { FileEntry } from "@boxrun/contract";
import { type AgentEntry, entrySchema } from "./messages.ts";
import { turns } from "./turns.ts";
import { WireViolation } from "./violation.ts";

/** Longest listing of a directory, in bytes of JSON: some 300,000 names, and never more than a million. */
const limitBytes = 64 * 1024 * 1024;
/** An entry has two names of at most 4096 bytes, each of which JSON may write as six characters. */
const entryLimitBytes = 64 * 1024;

const opening = Buffer.from('{"entries":[');
const [dot, dotDot] = [Buffer.from("."), Buffer.from("..")];
const codes = { quote: 0x22, comma: 0x2c, backslash: 0x5c, end: 0x5d, open: 0x7b, close: 0x7d } as const;

/**
 * Reads `{"entries":[{…},{…}]}` entry by entry, as the agent writes it, and gives each on before the next is read: one that is as long as it may
 * be would take the event loop for seconds if it were parsed as a whole, and ten times its length of memory. Throws a WireViolation.
 */
export async function* readListing(body: AsyncIterable<Buffer>): AsyncGenerator<FileEntry> {
  const splitter = new EntrySplitter();
  let previous: Buffer | undefined;
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limitBytes) throw new WireViolation(`a listing of more than ${limitBytes} bytes`);
    for (const text of splitter.take(chunk)) {
      if (!turns.take(1)) await turns.taken(1);
      const { name, entry } = parseEntry(text);
      // Every agent sorts: nobody behind this keeps all of them to do it.
      const order = previous?.compare(name) ?? -1;
      if (order > 0) throw new WireViolation("a listing out of order");
      previous = name;
      // A directory that changes while it is read may give a name twice.
      if (order === 0) continue;
      yield entry;
    }
  }
  splitter.requireEnd();
}

/** Finds where the entries begin and end. They hold no objects themselves; their strings may hold anything. */
class EntrySplitter {
  #rest: Buffer = Buffer.alloc(0);
  #state: "opening" | "entry or end" | "entry" | "separator or end" | "closing" | "over" = "opening";
  #inString = false;
  /** Up to where `rest` was looked at. */
  #at = 0;

  *take(chunk: Buffer): Generator<string> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let begin = 0;
    while (this.#at < this.#rest.length) {
      if (this.#state === "entry") {
        if (!this.#toEntryEnd()) break;
        this.#state = "separator or end";
        yield this.#rest.toString("utf8", begin, this.#at);
        begin = this.#at;
        continue;
      }
      if (this.#state === "opening" && this.#rest.length < opening.length) break;
      const isEntry = this.#step();
      begin = isEntry ? this.#at - 1 : this.#at;
    }
    if (this.#rest.length - begin > entryLimitBytes) throw new WireViolation("an entry of a listing that is too long");
    this.#rest = this.#rest.subarray(begin);
    this.#at -= begin;
  }

  requireEnd(): void {
    if (this.#state !== "over") throw new WireViolation("a listing that is not complete");
  }

  /** Everything between entries, a token at a time; `true` where an entry begins. */
  #step(): boolean {
    if (this.#state === "opening") {
      if (!this.#rest.subarray(0, opening.length).equals(opening))
        throw new WireViolation("an answer that is no listing");
      this.#at = opening.length;
      this.#state = "entry or end";
      return false;
    }
    const code = this.#rest[this.#at];
    this.#at += 1;
    if (code === codes.open && this.#state === "entry or end") this.#state = "entry";
    else if (code === codes.comma && this.#state === "separator or end") this.#state = "entry or end";
    else if (code === codes.end && (this.#state === "entry or end" || this.#state === "separator or end")) {
      this.#state = "closing";
    } else if (code === codes.close && this.#state === "closing") this.#state = "over";
    else if (this.#state !== "over" || code === undefined || code > 0x20) {
      throw new WireViolation("a listing that is not as it should be");
    }
    return this.#state === "entry";
  }

  /** `false` if it is not here yet. */
  #toEntryEnd(): boolean {
    const rest = this.#rest;
    for (; this.#at < rest.length; this.#at++) {
      const code = rest[this.#at];
      if (this.#inString) {
        if (code === codes.backslash) {
          // Its next byte belongs to it, and may come later.
          if (this.#at + 1 >= rest.length) return false;
          this.#at += 1;
        } else if (code === codes.quote) this.#inString = false;
      } else if (code === codes.quote) this.#inString = true;
      else if (code === codes.close) {
        this.#at += 1;
        return true;
      }
    }
    return false;
  }
}

/** `name`: as the box has it. */
function parseEntry(text: string): { readonly name: Buffer; readonly entry: FileEntry } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new WireViolation("an entry of a listing that is not JSON");
  }
  const parsed = entrySchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new WireViolation(`an entry of a listing: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  const name = parsed.data.name === undefined ? parsed.data.name_b64 : Buffer.from(parsed.data.name);
  if (name === undefined || !isName(name)) throw new WireViolation("an entry of a listing whose name is none");
  return { name, entry: toEntry(name.toString("utf8"), parsed.data) };
}

/** What no directory has as a name would lead whoever puts a path together from it to another place. */
function isName(name: Buffer): boolean {
  return name.length > 0 && !name.includes(0) && !name.includes("/") && !name.equals(dot) && !name.equals(dotDot);
}

/** `name`: what the agent calls it, or the path that it was asked for by. */
export function toEntry(name: string, entry: AgentEntry): FileEntry {
  const target = entry.target ?? entry.target_b64?.toString("utf8");
  return {
    name,
    type: entry.type,
    size: entry.size,
    mode: entry.mode,
    mtime: new Date(entry.mtime * 1000).toISOString(),
    uid: entry.uid,
    gid: entry.gid,
    ...(target === undefined ? {} : { target }),
  };
}
