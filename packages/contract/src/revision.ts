/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "e48814c326952c67";
