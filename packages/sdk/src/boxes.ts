import type { Box, BoxStatus, CreateBoxInput, StoppedBox } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";

const box = (contract: Contract) => contract.boxSchema;

/** A box is named by its id or its name everywhere. */
export class Boxes {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Resolves with the running box. The server goes on with it when the call is given up: whoever wants it gone gives it a `name` and
   * removes that by force, which interrupts the creation.
   */
  create(input: CreateBoxInput, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.boxes(), box, { ...options, json: input });
  }

  /** Newest first, 10,000 at most. */
  list(options: CallOptions & { readonly status?: BoxStatus | "all" | undefined } = {}): Promise<Box[]> {
    const { status } = options;
    return this.#http.call("GET", urls.boxes({ status }), (contract) => contract.boxSchema.array(), options);
  }

  /** All there are, newest first, `limit` (1 to 1,000) at a time. */
  pages(
    options: CallOptions & { readonly status?: BoxStatus | "all" | undefined; readonly limit: number },
  ): AsyncGenerator<Box[]> {
    const { status, limit } = options;
    const path = (cursor: string | undefined) => urls.boxes({ status, limit, cursor });
    return this.#http.pages(path, (contract) => contract.boxSchema.array(), options);
  }

  get(id: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("GET", urls.box(id), box, options);
  }

  start(id: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.startBox(id), box, options);
  }

  /** `timeoutMs`: what programs get between SIGTERM and SIGKILL, by default 10 s. The answer says which had to be killed. */
  stop(id: string, options: CallOptions & { readonly timeoutMs?: number | undefined } = {}): Promise<StoppedBox> {
    const { timeoutMs, ...call } = options;
    return this.#http.call("POST", urls.stopBox(id, timeoutMs), (contract) => contract.stoppedBoxSchema, call);
  }

  /** `force`: also a running box. */
  async remove(box: string, options: CallOptions & { readonly force?: boolean | undefined } = {}): Promise<void> {
    await this.#http.call(
      "DELETE",
      urls.removeBox(box, options.force ?? false),
      (contract) => contract.okSchema,
      options,
    );
  }
}
