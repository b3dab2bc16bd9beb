/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "e3899a03b7a2cc78";
