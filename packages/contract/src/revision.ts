/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "fbb2363523ac8e6e";
