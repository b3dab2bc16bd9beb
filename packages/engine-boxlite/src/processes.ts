import { basename } from "node:path";
import { findProcessesByCommand, killAll, type ProcessRef } from "@boxrun/host";

/*
 * What runs on the host for a box: the VM's own program, and around it, where BoxLite sandboxes it, bubblewrap's two:
 *
 *     bwrap             BoxLite 0.10.0 takes this one for the VM (`shim.pid`), and a VM that is detached survives its end
 *       bwrap           process 1 of the namespace that the VM is in
 *         boxlite-shim  the VM
 */
const vmProgram = "boxlite-shim";
const programs: ReadonlySet<string> = new Set([vmProgram, "bwrap"]);

/** Every one of them. BoxLite's id of the box, random, is in the paths of its command line. */
export function hostProcesses(engineId: string): readonly ProcessRef[] {
  return [...find(engineId, programs)];
}

/** The VM's own; `undefined` if the box has none. That of a VM that was started just now is found without a look at every process. */
export function vmProcess(engineId: string): ProcessRef | undefined {
  const [vm] = find(engineId, new Set([vmProgram]));
  return vm;
}

/** Ends them by force, whatever BoxLite knows of them, and waits until they are gone. */
export async function endVm(engineId: string): Promise<void> {
  // One may be starting the next: until there are none. A process that no signal ends is not waited for for ever.
  for (let round = 0; round < 3; round += 1) {
    const found = hostProcesses(engineId);
    if (found.length === 0) return;
    await killAll(found);
  }
}

function find(engineId: string, names: ReadonlySet<string>): Iterable<ProcessRef> {
  const part = `/boxes/${engineId}/`;
  return findProcessesByCommand(
    ([program = "", ...args]) => names.has(basename(program)) && [program, ...args].some((word) => word.includes(part)),
  );
}
