/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "3bf86aa3399d9a33";
