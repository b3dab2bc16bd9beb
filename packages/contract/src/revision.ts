/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "c3765569e193a308";
