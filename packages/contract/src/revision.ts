/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "2af1eda8c02b92ee";
