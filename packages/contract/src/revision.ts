/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "96724bacab18295a";
