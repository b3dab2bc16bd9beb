/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "a565ef4089211581";
