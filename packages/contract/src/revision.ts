/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "3b1d48fd438f4b8f";
