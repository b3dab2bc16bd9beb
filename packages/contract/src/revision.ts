/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "1e2a9a23f85d7ba3";
