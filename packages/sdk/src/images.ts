import { type Image, imageSchema, okSchema, type PullProgress, pullProgressSchema, urls } from "@boxrun/contract";
import { z } from "zod";
import { type BodySource, encodeBody } from "./body.ts";
import { ClientError, serverError } from "./errors.ts";
import type { CallOptions, Http } from "./http.ts";
import { readSse } from "./sse.ts";

export type PullEvent =
  | ({ readonly event: "progress" } & PullProgress)
  | { readonly event: "done"; readonly image: Image };

export class Images {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  list(options: CallOptions = {}): Promise<Image[]> {
    return this.#http.call("GET", urls.images(), z.array(imageSchema), options);
  }

  /** Progress, then `done` as the last event. Throws IMAGE_PULL_FAILED with the registry's reason. Leaving the loop gives the pull up. */
  async *pull(reference: string, { signal }: CallOptions = {}): AsyncGenerator<PullEvent> {
    const open = (connectionSignal: AbortSignal) =>
      this.#http.open("POST", urls.pullImage(), {
        json: { reference },
        headers: { accept: "text/event-stream" },
        signal: connectionSignal,
      });
    for await (const { event, data } of readSse(this.#http, { open, signal })) {
      if (event === "progress") {
        yield { event, ...this.#http.parse(pullProgressSchema, data, "A progress event") };
      } else if (event === "done") {
        yield { event, image: this.#http.parse(imageSchema, data, "The last event of a pull") };
        return;
      } else if (event === "error") {
        throw serverError(400, data, `Pulling ${reference}`);
      }
    }
    throw new ClientError(
      "CONNECTION_FAILED",
      `${this.#http.address} ended the pull of ${reference} before it was done`,
    );
  }

  /** From a tar of an OCI layout or a docker-archive; `reference` names the image where the archive does not. */
  import(tar: BodySource, options: CallOptions & { readonly reference?: string | undefined } = {}): Promise<Image[]> {
    const body = encodeBody(tar, "application/x-tar");
    return this.#http.call("POST", urls.importImage(options.reference), z.array(imageSchema), { ...options, body });
  }

  async remove(reference: string, options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.image(reference), okSchema, options);
  }
}
