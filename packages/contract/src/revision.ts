/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "28550392a2f4b364";
