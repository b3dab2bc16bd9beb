import { afterAll, beforeAll, describe, test } from "vitest";
import { archiveBehaviours } from "./archives.ts";
import type { Need, Suite } from "./behaviour.ts";
import { commandBehaviours } from "./commands.ts";
import { diskBehaviours } from "./disks.ts";
import { endingBehaviours } from "./endings.ts";
import { fileBehaviours } from "./files.ts";
import { Harness } from "./harness.ts";
import { isolationBehaviours } from "./isolation.ts";
import { lifecycleBehaviours } from "./lifecycle.ts";
import { linuxBehaviours } from "./linux.ts";
import { networkBehaviours } from "./network.ts";
import { type ConformanceOptions, conformanceDefaults } from "./options.ts";
import { outputBehaviours } from "./output.ts";
import { portBehaviours } from "./ports.ts";
import { preparedBehaviours } from "./prepared.ts";
import { resumeBehaviours } from "./resume.ts";
import { stdinBehaviours } from "./stdin.ts";
import { terminalBehaviours } from "./terminal.ts";
import { transferBehaviours } from "./transfers.ts";
import { usageBehaviours } from "./usage.ts";
import { volumeBehaviours } from "./volumes.ts";

/** Each part can be a test file of its own, so that they run side by side. */
export type ConformancePart = keyof typeof parts;

const parts = {
  /** What a running box does. */
  programs: {
    commands: commandBehaviours,
    output: outputBehaviours,
    "standard input": stdinBehaviours,
    "timeout, cancel and signals": endingBehaviours,
    terminals: terminalBehaviours,
    files: fileBehaviours,
    transfers: transferBehaviours,
    archives: archiveBehaviours,
    ports: portBehaviours,
    "what a box finds": linuxBehaviours,
    "two boxes": isolationBehaviours,
    usage: usageBehaviours,
  },
  /** What a box has to do with the world, and what it finds again when the server has changed. */
  surroundings: {
    volumes: volumeBehaviours,
    network: networkBehaviours,
    "another server": resumeBehaviours,
  },
  /** What becomes of boxes. */
  lifecycle: {
    lifecycle: lifecycleBehaviours,
    disks: diskBehaviours,
    "prepared boxes": preparedBehaviours,
  },
} satisfies Record<string, Record<string, (suite: Suite) => void>>;

/** Registers the engine port's promises, or a part of them, as a vitest suite. Call it at the top level of a test file. */
export function engineConformance(options: ConformanceOptions, part?: ConformancePart): void {
  const groups = (part === undefined ? Object.values(parts) : [parts[part]]).flatMap((group) => Object.entries(group));
  const timeoutMs = options.timeoutMs ?? conformanceDefaults.timeoutMs;
  const harness = new Harness(options);
  const tally = new Tally(options.name);

  const behaviour: Suite["behaviour"] = (name, needs, body, extraMs = 0) => {
    const missing = needs.map((need) => whyMissing(need, options)).find((reason) => reason !== undefined);
    test(name, { timeout: timeoutMs + extraMs }, async ({ skip }) => {
      if (missing !== undefined) {
        tally.skipped(missing);
        skip(missing);
      }
      tally.ran();
      await body();
    });
  };
  const suite: Suite = { harness, options, behaviour };

  describe(`${options.name} keeps the engine port's promises`, () => {
    beforeAll(() => harness.open(), timeoutMs);
    afterAll(async () => {
      await harness.close();
      tally.print();
    }, timeoutMs);

    for (const [name, behaviours] of groups) describe(name, () => behaviours(suite));
  });
}

function whyMissing(need: Need, options: ConformanceOptions): string | undefined {
  if (need === "linux") return options.realLinux ? undefined : "needs a real Linux in the box";
  if (need === "network-fixture") {
    return "unavailable" in options.network ? options.network.unavailable : undefined;
  }
  return options.capabilities.includes(need) ? undefined : `the engine does not have the capability ${need}`;
}

/** Counts what ran and says what did not, and why. */
class Tally {
  readonly #name: string;
  readonly #skipped = new Map<string, number>();
  #ran = 0;

  constructor(name: string) {
    this.#name = name;
  }

  ran(): void {
    this.#ran += 1;
  }

  skipped(reason: string): void {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
  }

  print(): void {
    const total = [...this.#skipped.values()].reduce((sum, count) => sum + count, 0);
    const reasons = [...this.#skipped].map(([reason, count]) => `\n  ${count} skipped: ${reason}`).join("");
    process.stdout.write(
      `engine conformance of ${this.#name}: ${this.#ran} behaviours ran, ${total} skipped${reasons}\n`,
    );
  }
}
