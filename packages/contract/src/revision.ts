/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "5c4b72f8e1552970";
