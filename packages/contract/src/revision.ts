/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "e8a35b483c006e07";
