/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "876f95a500d313ac";
