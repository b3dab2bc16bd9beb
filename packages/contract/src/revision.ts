/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "f41a5cfe4967b058";
