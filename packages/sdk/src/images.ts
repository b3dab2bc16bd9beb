import type { Image, ImageDetails, PullProgress } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { type BodySource, encodeBody } from "./body.ts";
import { ClientError, serverError } from "./errors.ts";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";
import { readSse } from "./sse.ts";

export type PullEvent =
  | ({ readonly event: "progress" } & PullProgress)
  | { readonly event: "done"; readonly image: Image };

const image = (contract: Contract) => contract.imageSchema;
const images = (contract: Contract) => contract.imageSchema.array();
const details = (contract: Contract) => contract.imageDetailsSchema;
const progress = (contract: Contract) => contract.pullProgressSchema;

export class Images {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  list(options: CallOptions = {}): Promise<Image[]> {
    return this.#http.call("GET", urls.images(), images, options);
  }

  /** What an image is and what it sets for boxes; of `base` its programs too. IMAGE_NOT_FOUND. */
  get(reference: string, options: CallOptions = {}): Promise<ImageDetails> {
    return this.#http.call("GET", urls.image(reference), details, options);
  }

  /** Progress, then `done` as the last event. Throws IMAGE_PULL_FAILED with the registry's reason. Leaving the loop gives the pull up. */
  async *pull(reference: string, { signal }: CallOptions = {}): AsyncGenerator<PullEvent> {
    const open = (connectionSignal: AbortSignal) =>
      this.#http.open("POST", urls.pullImage(), {
        json: { reference },
        headers: { accept: "text/event-stream" },
        signal: connectionSignal,
      });
    for await (const { event, data, response } of readSse(this.#http, { open, signal })) {
      if (event === "progress") {
        yield { event, ...(await this.#http.parse(response, progress, data, "A progress event")) };
      } else if (event === "done") {
        yield { event, image: await this.#http.parse(response, image, data, "The last event of a pull") };
        return;
      } else if (event === "error") {
        throw serverError(400, await this.#http.errorBody(response, data), `Pulling ${reference}`, data);
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
    return this.#http.call("POST", urls.importImage(options.reference), images, { ...options, body });
  }

  async remove(reference: string, options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.image(reference), (contract) => contract.okSchema, options);
  }
}
