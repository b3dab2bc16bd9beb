/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "bde8299c86b707c6";
