/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "0ea59c2dfefdeb6e";
