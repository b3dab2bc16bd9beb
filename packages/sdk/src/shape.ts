import type { ErrorBody } from "@boxrun/contract";
import type { z } from "zod";
import { parseJson } from "./errors.ts";

/** The contract with its schemas. Loaded only when an answer has to be checked: its schema library is most of what loading the client takes. */
export type Contract = typeof import("@boxrun/contract");

/** Which of the contract's schemas an answer should fit. */
export type Shape<Value> = (contract: Contract) => z.ZodType<Value>;

/** `undefined` for what is no error of BoxRun's. */
export function readErrorBody(contract: Contract, text: string): ErrorBody | undefined {
  const { code, message, details } = contract.errorBodySchema.safeParse(parseJson(text)).data ?? {};
  if (code === undefined || message === undefined) return undefined;
  return { code, message, ...(details === undefined ? {} : { details }) };
}

export function loadContract(): Promise<Contract> {
  return import("@boxrun/contract");
}
