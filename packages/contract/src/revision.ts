/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "12f0e1cbc93357e7";
