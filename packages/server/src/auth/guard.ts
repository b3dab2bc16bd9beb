import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { BoxRunError } from "@boxrun/contract";
import { hostName, requireOwnOrigin } from "./origin.ts";
import { peerUid } from "./peer.ts";
import type { SignIns } from "./sign-ins.ts";
import { bearerMatches } from "./token.ts";

/** The door that a connection came in by. */
export type Door =
  /** Whoever may open the socket is its owner. */
  | { readonly kind: "unix" }
  /** `names`: what the server is called there, lower case, IPv6 in brackets. */
  | { readonly kind: "tcp"; readonly loopback: boolean; readonly names: ReadonlySet<string> };

/** Whoever was let in, and why. */
export type Caller =
  /** Over the Unix socket, which its owner alone may open. */
  | { readonly kind: "socket"; readonly uid: number | null }
  /** The user that the kernel names at the other end of a loopback connection. */
  | { readonly kind: "loopback"; readonly uid: number }
  /** With the server's token. */
  | { readonly kind: "token" }
  /** A browser that has signed in; `uid` where the kernel says. */
  | { readonly kind: "browser"; readonly uid: number | null; readonly expiresAtMs: number };

/** Who may call, by the door that they came in. */
export class Guard {
  readonly #token: string | null;
  /** As in `Host` and, behind the scheme, in `Origin`. */
  readonly #allowedHosts: readonly string[];
  readonly #doors = new WeakMap<Socket, Door>();
  /** One process is at the other end of a connection for as long as it lasts. */
  readonly #peers = new WeakMap<Socket, Promise<number | undefined>>();

  readonly #peerUid: typeof peerUid;
  readonly #signIns: Pick<SignIns, "find">;

  constructor(options: {
    readonly token: string | null;
    readonly allowedHosts: readonly string[];
    readonly signIns: Pick<SignIns, "find">;
    /** Tests give another one. */
    readonly peerUid?: typeof peerUid;
  }) {
    this.#token = options.token;
    this.#allowedHosts = options.allowedHosts;
    this.#signIns = options.signIns;
    this.#peerUid = options.peerUid ?? peerUid;
  }

  /** Says which door a new connection came in by. */
  entered(socket: Socket, door: Door): void {
    this.#doors.set(socket, door);
  }

  /** FORBIDDEN for a web page that has no business here. Who has the token is no page that was sent here under a false name. */
  checkOrigin(request: IncomingMessage): void {
    const door = this.#door(request.socket);
    const { host, origin } = request.headers;
    const isAnyName = door.kind === "unix" || this.#hasToken(request) || this.#isAllowed(host);
    requireOwnOrigin({ host, origin, names: isAnyName ? null : door.names, pages: this.#allowedHosts });
  }

  /** UNAUTHORIZED for whoever is neither this server's user nor has its token, nor has signed in. */
  async checkCaller(request: IncomingMessage): Promise<Caller> {
    const door = this.#door(request.socket);
    if (door.kind === "unix") return { kind: "socket", uid: process.getuid?.() ?? null };
    if (this.#hasToken(request)) return { kind: "token" };
    const { authorization, cookie, host } = request.headers;
    const peer = await this.peerOf(request);
    const signIn = this.#signIns.find(cookie, peer);
    if (signIn !== undefined) return { kind: "browser", uid: peer, expiresAtMs: signIn.expiresAtMs };
    const token = authorization === undefined ? "" : "the token is not this server's, and ";
    // A proxy on this host may well be this user's: who is behind it need not be.
    if (this.#isAllowed(host)) throw unauthorized(`${token}calls under this name need the server's token`);
    if (!door.loopback) throw unauthorized(`${token}calls to this address need the server's token`);
    if (peer === null) throw unauthorized(`${token}the system does not tell which user is calling`);
    if (peer !== process.getuid?.()) throw unauthorized(`${token}user ${peer} is not the user that runs the server`);
    return { kind: "loopback", uid: peer };
  }

  /** The user at the other end of a loopback connection; `null` of any other, or where the system does not tell. */
  async peerOf({ socket }: IncomingMessage): Promise<number | null> {
    const door = this.#door(socket);
    return door.kind === "tcp" && door.loopback ? ((await this.#peer(socket)) ?? null) : null;
  }

  #hasToken({ headers }: IncomingMessage): boolean {
    return this.#token !== null && bearerMatches(headers.authorization, this.#token);
  }

  #isAllowed(host: string | undefined): boolean {
    const called = hostName(host ?? "");
    return this.#allowedHosts.some((allowed) => hostName(allowed) === called);
  }

  #door(socket: Socket): Door {
    const door = this.#doors.get(socket);
    if (door === undefined) throw new Error("a request came in by no door of this server");
    return door;
  }

  #peer(socket: Socket): Promise<number | undefined> {
    const known = this.#peers.get(socket);
    if (known !== undefined) return known;
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const found =
      localAddress === undefined || localPort === undefined || remoteAddress === undefined || remotePort === undefined
        ? Promise.resolve(undefined)
        : this.#peerUid({ localAddress, localPort, remoteAddress, remotePort });
    this.#peers.set(socket, found);
    // A look that found nobody may find somebody the next time: too many files were open, say.
    const forget = () => this.#peers.delete(socket);
    found.then((uid) => uid === undefined && forget(), forget);
    return found;
  }
}

function unauthorized(why: string): BoxRunError {
  return new BoxRunError(
    "UNAUTHORIZED",
    `Not authorized: ${why}. Use the server's Unix socket, or send its BOXRUN_TOKEN as "Authorization: Bearer TOKEN".`,
  );
}
