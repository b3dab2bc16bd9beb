/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "cdf28ab0279abc73";
