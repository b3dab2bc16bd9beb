/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "a049b7b814ae78d6";
