import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError } from "boxrun-sdk";

/** What a person can do about a server that can't be reached, by the code of the cause; `undefined` where there is nothing better to say than in general. */
export function connectionAdvice(error: unknown): string | undefined {
  if (error instanceof BoxRunError && error.code === "UNAUTHORIZED") {
    return "Give that server's token: in BOXRUN_TOKEN, or kept with `boxrun context add NAME --host URL --token-stdin`.";
  }
  if (!(error instanceof ClientError)) return undefined;
  for (const code of codesOf(error)) {
    const advice = advices.find(([codes]) => codes.includes(code))?.[1];
    if (advice !== undefined) return advice;
  }
  return undefined;
}

const advices: readonly (readonly [readonly string[], string])[] = [
  [
    [
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    ],
    "Nobody whom this host trusts has signed the server's certificate. If it is yours, say where the certificate (or its authority's) lies: NODE_EXTRA_CA_CERTS=/path/to/cert.pem.",
  ],
  [["ERR_TLS_CERT_ALTNAME_INVALID"], "Call the server by a name that stands in its certificate."],
  [
    ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"],
    "Renew the server's certificate, or set the clock of whichever host is wrong.",
  ],
  [
    ["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"],
    "That port does not speak TLS: write http:// instead of https://, or call the proxy that does.",
  ],
  [["ENOTFOUND", "EAI_AGAIN"], "Check the host's name in the address, and this host's DNS."],
];

function* codesOf(error: unknown): Generator<string> {
  for (let current = error; current instanceof Error; ) {
    if ("code" in current && typeof current.code === "string") yield current.code;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
}
