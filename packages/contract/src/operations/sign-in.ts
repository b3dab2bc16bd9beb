import { okSchema } from "../box.ts";
import { signedInSchema, signInLinkSchema, signInRequestSchema } from "../sign-in.ts";
import type { Operation } from "./operation.ts";
import { created, json, jsonBody } from "./parts.ts";

export const signInOperations = {
  getSignIn: {
    method: "GET",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "As whom the server knows the caller; UNAUTHORIZED if it does not",
    response: json(signedInSchema),
    errors: [],
  },
  signIn: {
    method: "POST",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "Sign a browser in: the answer sets its cookie",
    body: jsonBody(signInRequestSchema),
    response: created(signedInSchema),
    errors: [],
  },
  signOut: {
    method: "DELETE",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "Sign this browser out",
    response: json(okSchema),
    errors: [],
  },
  createSignInLink: {
    method: "POST",
    path: "/v1/sign-in/links",
    tag: "sign-in",
    summary: "Make a link that signs a browser in, once",
    response: created(signInLinkSchema),
    errors: [],
  },
} as const satisfies Record<string, Operation>;
