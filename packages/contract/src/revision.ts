/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "63a66b702aee383b";
