/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "525baef7641ca9a7";
