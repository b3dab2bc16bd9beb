/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "d02a12f1cb68baf1";
