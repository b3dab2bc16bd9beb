/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "18bc57320f1b4dc5";
