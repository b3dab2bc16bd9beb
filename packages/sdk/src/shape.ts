import type { z } from "zod";

/** The contract with its schemas. Loaded only when an answer has to be checked: its schema library is most of what loading the client takes. */
export type Contract = typeof import("@boxrun/contract");

/** Which of the contract's schemas an answer should fit. */
export type Shape<Value> = (contract: Contract) => z.ZodType<Value>;

export function loadContract(): Promise<Contract> {
  return import("@boxrun/contract");
}
