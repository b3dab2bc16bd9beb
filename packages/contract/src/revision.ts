/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "d800c998c267e044";
