import { randomBytes } from "node:crypto";
import { BoxRunError } from "@boxrun/contract/plain";
import type { Box, BoxRunClient, CreateBoxInput } from "boxrun-sdk";

/** The boxes that a session makes, and with it removes if it is an ephemeral one. */
export class SessionBoxes {
  readonly #client: BoxRunClient;
  readonly #ephemeral: boolean;
  readonly #made = new Set<string>();
  /** Creations that go on although nobody waits for them any more. */
  readonly #givenUp = new Set<Promise<void>>();

  constructor(client: BoxRunClient, options: { readonly ephemeral: boolean }) {
    this.#client = client;
    this.#ephemeral = options.ephemeral;
  }

  /** The running box. One that fails, or is given up, leaves none: its message has been told, and its name is free again. */
  async create(input: CreateBoxInput, signal: AbortSignal): Promise<Box> {
    signal.throwIfAborted();
    const name = input.name ?? `mcp-${randomBytes(5).toString("hex")}`;
    // Not given up with the signal: the server would go on, and we would not know when it is done.
    const creating = this.#client.boxes.create({ ...input, name });
    const aborted = Promise.withResolvers<never>();
    const give = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", give, { once: true });
    try {
      const box = await Promise.race([creating, aborted.promise]);
      this.#made.add(box.id);
      return box;
    } catch (error) {
      if (signal.aborted) this.#removeOnce(creating);
      else if (leavesABox(error)) await this.#removeIfThere(name);
      throw error;
    } finally {
      signal.removeEventListener("abort", give);
    }
  }

  async remove(box: string, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<Box> {
    const { id, ...rest } = await this.#client.boxes.get(box, options);
    await this.#client.boxes.remove(id, options);
    this.#made.delete(id);
    return { id, ...rest };
  }

  /** At the session's end. */
  async close(): Promise<void> {
    await Promise.all(this.#givenUp);
    if (!this.#ephemeral) return;
    await Promise.allSettled([...this.#made].map((id) => this.#removeIfThere(id)));
    this.#made.clear();
  }

  #removeOnce(creating: Promise<Box>): void {
    const gone = creating
      .then(({ id }) => this.#removeIfThere(id))
      // Then there is none, or nobody who could be told.
      .catch(() => undefined)
      .finally(() => this.#givenUp.delete(gone));
    this.#givenUp.add(gone);
  }

  async #removeIfThere(box: string): Promise<void> {
    try {
      await this.#client.boxes.remove(box, { force: true });
    } catch (error) {
      if (!(error instanceof BoxRunError && error.code === "BOX_NOT_FOUND")) throw error;
    }
  }
}

/** Refusals come before there is a box; a failure while it was made leaves one behind, under its name. */
function leavesABox(error: unknown): boolean {
  const refusals = ["NAME_ALREADY_EXISTS", "VALIDATION_ERROR", "RESOURCE_EXCEEDED", "UNAUTHORIZED", "FORBIDDEN"];
  return error instanceof BoxRunError && !refusals.includes(error.code);
}
