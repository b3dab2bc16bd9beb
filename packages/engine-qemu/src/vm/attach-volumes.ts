import { volumeDevice } from "./command-line.ts";
import type { Qmp } from "./qmp.ts";

/**
 * Puts the volumes that it is connected to into a VM that runs. QEMU can neither save a VM with such a device nor load the state of one into a VM that has it, so no template has any, and a
 * resumed VM gets its own now. The guest finds them when its agent looks for them.
 */
export async function attachVolumes(qmp: Qmp, count: number): Promise<void> {
  // QEMU takes them one after the other. The first of a slot comes last: without it the guest sees none of them, and QEMU takes no other once it is there.
  const lastFirst = Array.from({ length: count }, (_, index) => count - 1 - index);
  await Promise.all(lastFirst.map((index) => qmp.execute("device_add", volumeDevice(index))));
}
