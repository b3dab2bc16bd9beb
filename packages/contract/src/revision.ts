/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "0a20866c94a7d8ca";
