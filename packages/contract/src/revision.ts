/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "95f80be66ab7aef2";
