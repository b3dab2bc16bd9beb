/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "95de13567fadca0c";
