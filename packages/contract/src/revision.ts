/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "6dfb8267da120295";
