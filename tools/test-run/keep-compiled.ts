import { flushCompileCache } from "node:module";
import { afterAll } from "vitest";

/** vitest ends its workers by a signal, and Node.js writes down what it has compiled only where it ends by itself. */
afterAll(() => flushCompileCache());
