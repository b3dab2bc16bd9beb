/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */
export const revision = "732ea509577fcea8";
