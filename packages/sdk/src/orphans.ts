import type { Box, Orphan } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";

/** Boxes that an engine has and the server's database does not. */
export class Orphans {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  list(options: CallOptions = {}): Promise<Orphan[]> {
    return this.#http.call("GET", urls.orphans(), (contract) => contract.orphanSchema.array(), options);
  }

  /** Takes it in again as a box. BOX_NOT_FOUND; RUNTIME_ERROR if too little is known of it. */
  adopt(id: string, options: CallOptions = {}): Promise<Box> {
    return this.#http.call("POST", urls.adoptOrphan(id), (contract) => contract.boxSchema, options);
  }

  /** Ends it and destroys its disk. BOX_NOT_FOUND. */
  async remove(id: string, options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.orphan(id), (contract) => contract.okSchema, options);
  }
}
