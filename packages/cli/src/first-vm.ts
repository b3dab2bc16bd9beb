import type { FirstVm } from "@boxrun/server";
import { spin } from "./output/spinner.ts";
import type { Reporter } from "./reporter.ts";

/** Boots what boxes begin with, for the user that runs this; says why not where that is nobody's who will have boxes, or does not work here. */
export async function bootFirstVm(reporter: Reporter, signal: AbortSignal): Promise<FirstVm> {
  const { env } = process;
  // With sudo, or doas, it is for somebody else that programs are installed.
  const caller = env.SUDO_USER || env.DOAS_USER;
  if (process.getuid?.() === 0 && caller !== undefined && caller !== "root") {
    return { ready: false, why: `it is made for each user, and not for root: ${caller} has it by \`boxrun setup\`` };
  }
  using _ = spin("Booting a first VM, so that boxes start in a fraction of a second…", reporter);
  const { makeFirstVm } = await import("@boxrun/server");
  return await makeFirstVm(env, signal);
}
