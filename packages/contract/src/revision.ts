/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "4311add38a2a7cc2";
