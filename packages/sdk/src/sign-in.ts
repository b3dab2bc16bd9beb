import type { SignedIn, SignInLink } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";

const signedIn = (contract: Contract) => contract.signedInSchema;

/** Signing browsers in: the server's cookie is theirs to keep and to send, no page gets to see it. */
export class SignIn {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** As whom the server knows the caller. UNAUTHORIZED. */
  current(options: CallOptions = {}): Promise<SignedIn> {
    return this.#http.call("GET", urls.signIn(), signedIn, options);
  }

  /** A link that signs a browser in, once. */
  createLink(options: CallOptions = {}): Promise<SignInLink> {
    return this.#http.call("POST", urls.signInLinks(), (contract) => contract.signInLinkSchema, options);
  }

  /** In a page: signs its browser in, with the token of a link; without one, as whom the server knows the caller by its token. UNAUTHORIZED. */
  enter(linkToken?: string, options: CallOptions = {}): Promise<SignedIn> {
    const json = linkToken === undefined ? {} : { link_token: linkToken };
    return this.#http.call("POST", urls.signIn(), signedIn, { ...options, json });
  }

  /** In a page: signs its browser out. */
  async leave(options: CallOptions = {}): Promise<void> {
    await this.#http.call("DELETE", urls.signIn(), (contract) => contract.okSchema, options);
  }
}
