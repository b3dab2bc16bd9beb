/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "ab64f917cdf3e88c";
