/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "3d536ca913e3235e";
