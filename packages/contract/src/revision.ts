/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "dc527d082a73309f";
