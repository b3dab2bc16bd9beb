/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "c4a666f99b1ce549";
