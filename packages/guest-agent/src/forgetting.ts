import type { AgentLine } from "./line.ts";
import { okSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** How long ids are gathered: by then what is told of an exec's end has gone out, and one request does for all that ended meanwhile. */
const gatherMs = 1000;

/** Tells one box's agent which execs are over and stored, many at a time. */
export class Forgetting {
  readonly #line: AgentLine;
  #ids: string[] = [];
  #told: Promise<void> | undefined;

  constructor(line: AgentLine) {
    this.#line = line;
  }

  /** Resolves once the agent has forgotten it, or can't be asked: then it forgets it with the VM. */
  forget(id: string): Promise<void> {
    this.#ids.push(id);
    this.#told ??= new Promise((resolve) => {
      // What is left to forget keeps no process up.
      setTimeout(() => resolve(this.#tell()), gatherMs).unref();
    });
    return this.#told;
  }

  async #tell(): Promise<void> {
    const ids = this.#ids;
    this.#ids = [];
    this.#told = undefined;
    await requestJson(this.#line, "POST", "/execs/forget", okSchema, { body: { ids } }).catch(() => undefined);
  }
}
