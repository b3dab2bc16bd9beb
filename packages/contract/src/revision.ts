/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "f80b07416fbc98a9";
