/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "7aa275504398db97";
