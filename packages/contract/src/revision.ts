/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "86dcbfd5b8fecf45";
