/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "05470e046ffc2f84";
