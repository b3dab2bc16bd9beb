/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "f537baec837a9d9d";
