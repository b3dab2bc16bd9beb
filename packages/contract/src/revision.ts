/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "1e8d4bb02ff7741c";
