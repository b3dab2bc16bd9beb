import { createHash, randomBytes } from "node:crypto";
import type { SignInRecord, SignInStore } from "@boxrun/core";
import { parseCookie, stringifySetCookie } from "cookie";

/** How long a link is good, and how many are at a time: the oldest goes for one too many. */
const linkMs = 2 * 60_000;
const maxLinks = 32;

/** How long a browser stays signed in, and how many are. */
const signedInMs = 30 * 24 * 3600_000;
const maxSignedIn = 200;

const secretBytes = 32;

export interface SignInsOptions {
  readonly store: SignInStore;
  /** The server's; who has signed in under another one is signed out. */
  readonly token: string | null;
  /** Two servers on one host share its cookies, whatever their ports: names them apart. */
  readonly stateDir: string;
  readonly basePath: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The links that sign a browser in, and the browsers that are. A link is gone with the server; a browser stays signed in. */
export class SignIns {
  readonly #options: SignInsOptions;
  readonly #now: () => number;
  readonly #cookieName: string;
  /** When they end, by the digest of their token; oldest first. */
  readonly #links = new Map<string, number>();

  constructor(options: SignInsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#cookieName = `boxrun_${digest(options.stateDir).slice(0, 8)}`;
  }

  makeLink(): { readonly token: string; readonly expiresAtMs: number } {
    const token = secret();
    const expiresAtMs = this.#now() + linkMs;
    this.#links.set(digest(token), expiresAtMs);
    for (const key of this.#links.keys()) {
      if (this.#links.size <= maxLinks) break;
      this.#links.delete(key);
    }
    return { token, expiresAtMs };
  }

  /** Whether it is the token of a link, which it is no more from then on. */
  redeem(token: string): boolean {
    const key = digest(token);
    const expiresAtMs = this.#links.get(key);
    this.#links.delete(key);
    return expiresAtMs !== undefined && this.#now() < expiresAtMs;
  }

  /** Signs a browser in. The cookie is good for that user alone: another program of the host that listens on another port gets to see it. */
  open(uid: number | null, options: { readonly secure: boolean }): { record: SignInRecord; setCookie: string } {
    const value = secret();
    const createdAtMs = this.#now();
    const record = { digest: this.#digest(value), uid, createdAtMs, expiresAtMs: createdAtMs + signedInMs };
    this.#options.store.insert(record, maxSignedIn);
    return { record, setCookie: this.#cookie(value, signedInMs / 1000, options.secure) };
  }

  /** The sign-in that a request's cookie stands for, if that user may use it. */
  find(cookieHeader: string | undefined, uid: number | null): SignInRecord | undefined {
    const value = this.#read(cookieHeader);
    if (value === undefined) return undefined;
    const record = this.#options.store.get(this.#digest(value));
    return record !== undefined && record.uid === uid && this.#now() < record.expiresAtMs ? record : undefined;
  }

  /** Signs out; what the browser has to be told. */
  close(cookieHeader: string | undefined): string {
    const value = this.#read(cookieHeader);
    if (value !== undefined) this.#options.store.delete(this.#digest(value));
    return this.#cookie("", 0, false);
  }

  #read(header: string | undefined): string | undefined {
    return header === undefined ? undefined : parseCookie(header)[this.#cookieName];
  }

  #digest(value: string): string {
    return digest(`${value}\0${this.#options.token ?? ""}`);
  }

  #cookie(value: string, maxAge: number, secure: boolean): string {
    const path = this.#options.basePath || "/";
    const name = this.#cookieName;
    return stringifySetCookie({ name, value, path, maxAge, secure, httpOnly: true, sameSite: "strict" });
  }
}

function secret(): string {
  return randomBytes(secretBytes).toString("base64url");
}

/** Of what nobody can guess: looking it up takes a time that tells nothing. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
