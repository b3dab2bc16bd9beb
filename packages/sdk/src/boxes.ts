import type { Box, BoxStatus, CreateBoxInput, Image, RunInput, RunResponse, StoppedBox } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import { type RepeatableOptions, untilAnswered } from "./repeat.ts";
import type { Contract } from "./shape.ts";

const box = (contract: Contract) => contract.boxSchema;

export interface BoxFilter {
  readonly status?: BoxStatus | "all" | undefined;
  /** `NAME` or `NAME=VALUE`, of boxes that have all of them. */
  readonly labels?: readonly string[] | undefined;
}

export interface SecretsOptions {
  /** Also the values of variables that `secret_env` names. */
  readonly showSecrets?: boolean | undefined;
}

const secrets = ({ showSecrets }: SecretsOptions) => ({ show_secrets: showSecrets || undefined }) as const;

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
  create(input: CreateBoxInput, options: RepeatableOptions = {}): Promise<Box> {
    const { signal } = options;
    return untilAnswered(this.#http, options, (headers) =>
      this.#http.call("POST", urls.boxes(), box, { signal, headers, json: input }),
    );
  }

  /** Newest first, 10,000 at most. */
  list(options: CallOptions & BoxFilter & SecretsOptions = {}): Promise<Box[]> {
    const { status, labels: label } = options;
    return this.#http.call(
      "GET",
      urls.boxes({ status, label, ...secrets(options) }),
      (contract) => contract.boxSchema.array(),
      options,
    );
  }

  /** All there are, newest first, `limit` (1 to 1,000) at a time. */
  pages(options: CallOptions & BoxFilter & SecretsOptions & { readonly limit: number }): AsyncGenerator<Box[]> {
    const { status, labels: label, limit } = options;
    const path = (cursor: string | undefined) => urls.boxes({ status, label, limit, cursor, ...secrets(options) });
    return this.#http.pages(path, (contract) => contract.boxSchema.array(), options);
  }

  get(id: string, options: CallOptions & SecretsOptions = {}): Promise<Box> {
    return this.#http.call("GET", urls.box(id, secrets(options)), box, options);
  }

  start(id: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.startBox(id), box, options);
  }

  /** Sets when it expires, in seconds from now; `null`: never. `onExpiry`: as it was, if missing. */
  extend(
    id: string,
    ttlSeconds: number | null,
    options: CallOptions & { readonly onExpiry?: "stop" | "remove" | undefined } = {},
  ): Promise<Box> {
    const { onExpiry, ...call } = options;
    const json = { ttl_seconds: ttlSeconds, ...(onExpiry === undefined ? {} : { on_expiry: onExpiry }) };
    return this.#http.call("POST", urls.extendBox(id), box, { ...call, json });
  }

  /**
   * Makes an image of a box that does not run. NAME_ALREADY_EXISTS if an image is called so, unless `replace`. It takes as long as reading the
   * box's disk does; giving the call up leaves nothing.
   */
  commit(
    id: string,
    reference: string,
    options: CallOptions & { readonly replace?: boolean | undefined } = {},
  ): Promise<Image> {
    const { replace = false, ...call } = options;
    const json = { reference, replace };
    return this.#http.call("POST", urls.commitBox(id), (contract) => contract.imageSchema, { ...call, json });
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

  /** Creates a box, runs one command in it and removes it; output is collected, so mind its size. Aborting removes the box too, within half a minute. */
  run(input: RunInput, options: RepeatableOptions = {}): Promise<RunResponse> {
    const { signal } = options;
    return untilAnswered(this.#http, options, (headers) =>
      this.#http.call("POST", urls.run(), (contract) => contract.runResponseSchema, { signal, headers, json: input }),
    );
  }
}
