/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "dce989db5516b01a";
