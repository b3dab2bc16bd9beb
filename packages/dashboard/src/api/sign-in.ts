import type { SignedIn } from "@boxrun/contract";
import { useQuery } from "@tanstack/react-query";
import { BoxRunClient } from "boxrun-sdk";
import { toast } from "../ui/toasts.tsx";
import { baseUrl, client } from "./client.ts";
import { failureOf } from "./failure.ts";
import { keys } from "./keys.ts";

const linkHash = /^#sign-in=(.+)$/;

/** Takes the link of `boxrun ui` for the cookie that it is good for. It is gone from the address before anything else happens. */
export async function signInByLink(): Promise<void> {
  const token = linkHash.exec(location.hash)?.[1];
  if (token === undefined) return;
  history.replaceState(null, "", location.pathname);
  try {
    await client.signIn.enter(decodeURIComponent(token));
  } catch (error) {
    const { message, hint } = failureOf(error);
    toast("failed", message, hint);
  }
}

/** With the server's own token, which the page does not keep. */
export async function signInByToken(token: string): Promise<void> {
  await new BoxRunClient({ baseUrl, token }).signIn.enter();
  location.reload();
}

export async function signOut(): Promise<void> {
  await client.signIn.leave();
  location.reload();
}

/** As whom the server knows this browser. */
export function useSignedIn(): SignedIn | undefined {
  return useQuery({ queryKey: keys.signIn, queryFn: ({ signal }) => client.signIn.current({ signal }) }).data;
}
