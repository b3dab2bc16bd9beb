import { okSchema, type Session, sessionSchema, urls } from "@boxrun/contract";
import { z } from "zod";
import type { CallOptions, Http } from "./http.ts";

/** Named shells that run on without a client; `BoxRunClient.attach` starts them. */
export class Sessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Newest first. */
  list(box: string, options: CallOptions = {}): Promise<Session[]> {
    return this.#http.call("GET", urls.sessions(box), z.array(sessionSchema), options);
  }

  /** Ends its shell and everything that was started in it; resolves when they are gone. SESSION_NOT_FOUND. */
  async remove(box: string, name: string, options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.session(box, name), okSchema, options);
  }
}
