/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "a8f2c646224b11df";
