import type { Session } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";

/** Named shells that run on without a client; `BoxRunClient.attach` starts them. */
export class Sessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Newest first. */
  list(box: string, options: CallOptions = {}): Promise<Session[]> {
    return this.#http.call("GET", urls.sessions(box), (contract) => contract.sessionSchema.array(), options);
  }

  /** Ends its shell and everything that was started in it; resolves when they are gone. SESSION_NOT_FOUND. */
  async remove(box: string, name: string, options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.session(box, name), (contract) => contract.okSchema, options);
  }
}
