import { type Box, type BoxStatus, boxSchema, type CreateBoxInput, okSchema, urls } from "@boxrun/contract";
import { z } from "zod";
import type { CallOptions, Http } from "./http.ts";

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
    return this.#http.call("POST", urls.boxes(), boxSchema, { ...options, json: input });
  }

  /** Newest first. */
  list(options: CallOptions & { readonly status?: BoxStatus | "all" | undefined } = {}): Promise<Box[]> {
    return this.#http.call("GET", urls.boxes(options.status), z.array(boxSchema), options);
  }

  get(box: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("GET", urls.box(box), boxSchema, options);
  }

  start(box: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.boxAction(box, "start"), boxSchema, options);
  }

  stop(box: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.boxAction(box, "stop"), boxSchema, options);
  }

  /** `force`: also a running box. */
  async remove(box: string, options: CallOptions & { readonly force?: boolean | undefined } = {}): Promise<void> {
    await this.#http.call("DELETE", urls.removeBox(box, options.force ?? false), okSchema, options);
  }
}
