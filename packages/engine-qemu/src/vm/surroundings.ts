import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BoxSpec } from "@boxrun/core";
import { isAlive, isStopped, type ProcessRef } from "@boxrun/host";
import { boxFiles } from "./command-line.ts";

/** A process that serves a part of a box, and whose end the box outlives. */
export interface Helper {
  readonly ref: ProcessRef;
  /** Of the box, for a person. */
  readonly part: string;
  /** Where it writes what is wrong with it, and nothing while all is well. */
  readonly stateFile: string | undefined;
}

/** In the order in which a boot starts them, which is that of the VM's record. */
export function helpersOf(
  spec: Pick<BoxSpec, "volumes" | "network">,
  refs: readonly ProcessRef[],
  boxDir: string,
): readonly Helper[] {
  const parts = [
    ...spec.volumes.map(({ guestPath }) => ({ part: `the volume ${guestPath}`, stateFile: undefined })),
    ...(spec.network ? [{ part: "the network", stateFile: join(boxDir, boxFiles.netState) }] : []),
  ];
  return parts.flatMap((part, index) => {
    const ref = refs[index];
    return ref === undefined ? [] : [{ ...part, ref }];
  });
}

/** They are no children of a server that has taken the box over, so nothing tells their end. A look costs some 20 µs for each. */
const lookEveryMs = 2000;
const stateLimit = 500;

/** Watches the processes around a box's QEMU, and tells when what is wrong with them has changed. */
export class Surroundings {
  readonly #helpers: readonly Helper[];
  readonly #onChange: (trouble: string | undefined) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #trouble: string | undefined;

  constructor(helpers: readonly Helper[], onChange: (trouble: string | undefined) => void, everyMs = lookEveryMs) {
    this.#helpers = helpers;
    this.#onChange = onChange;
    if (helpers.length > 0) this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  /** What does not work, for a person; `undefined` if all does. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const found = this.#helpers.map(troubleOf).filter((trouble) => trouble !== undefined);
    const trouble = found.length === 0 ? undefined : found.join("; ");
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#onChange(trouble);
  }
}

function troubleOf({ ref, part, stateFile }: Helper): string | undefined {
  if (!isAlive(ref)) {
    return `${part} does not work: the process that serves it has ended; stop the box and start it again`;
  }
  if (isStopped(ref)) {
    return `${part} does not work: the process that serves it was stopped by the host; \`kill -CONT ${ref.pid}\` lets it go on`;
  }
  const state = stateFile === undefined ? "" : readState(stateFile);
  return state === "" ? undefined : `${part} does not work: ${state}; it is tried again all the time`;
}

/** Of an earlier BoxRun's helper there is none. */
function readState(file: string): string {
  try {
    return printable(readFileSync(file, "utf8").slice(0, stateLimit));
  } catch {
    return "";
  }
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
