/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "e75dc86600235f59";
