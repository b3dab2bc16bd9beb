import { BoxRunError, type SignedIn } from "@boxrun/contract";
import type { FastifyRequest } from "fastify";
import type { Caller, Guard } from "../auth/guard.ts";
import type { SignIns } from "../auth/sign-ins.ts";
import { bracketed, type TcpAddress } from "../listen.ts";
import type { Handlers } from "../register.ts";

type SignInHandlers = Pick<Handlers, "getSignIn" | "signIn" | "signOut" | "createSignInLink">;

export interface SignInContext {
  readonly guard: Guard;
  readonly signIns: SignIns;
  readonly basePath: string;
  /** Where the server listens, once it does. */
  readonly address: () => TcpAddress | null;
}

export function signInHandlers({ guard, signIns, basePath, address }: SignInContext): SignInHandlers {
  return {
    getSignIn: async ({ request }) => shown(await guard.checkCaller(request.raw)),
    signIn: async ({ body: { link_token }, request, reply }) => {
      if (link_token === undefined) await guard.checkCaller(request.raw);
      else if (!signIns.redeem(link_token)) {
        throw new BoxRunError(
          "UNAUTHORIZED",
          "Not signed in: the link was used already, or is too old. `boxrun ui` makes a new one.",
        );
      }
      const uid = await guard.peerOf(request.raw);
      const { record, setCookie } = signIns.open(uid, { secure: isSecure(request) });
      reply.header("set-cookie", setCookie);
      return shown({ kind: "browser", uid, expiresAtMs: record.expiresAtMs });
    },
    signOut: async ({ request, reply }) => {
      reply.header("set-cookie", signIns.close(request.headers.cookie));
      return { ok: true };
    },
    createSignInLink: async () => {
      const { token, expiresAtMs } = signIns.makeLink();
      // Behind the `#`: no server, no proxy and no log sees it, and nothing uses it up that only looks at the link.
      const path = `${basePath}/ui/#sign-in=${token}`;
      const tcp = address();
      return {
        token,
        path,
        url: tcp === null ? null : `http://${reachable(tcp)}${path}`,
        expires_at: new Date(expiresAtMs).toISOString(),
      };
    },
  };
}

function shown(caller: Caller): SignedIn {
  const expiresAtMs = caller.kind === "browser" ? caller.expiresAtMs : undefined;
  const uid = caller.kind === "token" ? null : caller.uid;
  return {
    kind: caller.kind,
    uid,
    expires_at: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
  };
}

/** Pages say where they are from; a proxy may have taken the TLS off. */
function isSecure(request: FastifyRequest): boolean {
  return request.headers.origin?.startsWith("https://") ?? false;
}

/** An address that listens on all of the host's is called by one of them. */
function reachable({ host, port }: TcpAddress): string {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${bracketed(name)}:${port}`;
}
