/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "826dc0a110915673";
