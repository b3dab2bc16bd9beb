/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "15c1e289902c0dc5";
