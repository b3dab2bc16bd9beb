/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "02a9a0c92c65320d";
