import { randomBytes } from "node:crypto";

/** 9 random bytes are 12 characters of base64url. */
const suffix = () => randomBytes(9).toString("base64url");

export const newBoxId = () => `box_${suffix()}`;
export const newExecId = () => `exec_${suffix()}`;
export const newSessionId = () => `session_${suffix()}`;
