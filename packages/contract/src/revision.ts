/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "6adfaf713b0d77bc";
