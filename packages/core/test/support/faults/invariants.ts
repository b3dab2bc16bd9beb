import type { ExecRecord, OutputEvent } from "../../../src/index.ts";
import { isPreparedNote } from "../../../src/pool/prepared-note.ts";
import { counted } from "./programs.ts";
import type { ServerLife } from "./server.ts";
import type { World } from "./world.ts";

/** Everything that is not as it has to be once the faults are over and nothing is under way; each a sentence. */
export async function violations(world: World, life: ServerLife): Promise<string[]> {
  return [...boxViolations(world, life), ...(await resourceViolations(world, life)), ...execViolations(world, life)];
}

/** Those that wait for a box; how many there are is always right in the end. */
function prepared({ host }: World): number {
  return [...host.boxes.values()].filter(({ note }) => isPreparedNote(note)).length;
}

function boxViolations({ host }: World, { store, core }: ServerLife): string[] {
  const found: string[] = [];
  const told = new Map(core.boxes.list().map((box) => [box.id, box.status]));
  const rows = new Map(store.boxes.list().map((box) => [box.id, box]));
  for (const [id, vm] of host.boxes) {
    const row = rows.get(id);
    if (isPreparedNote(vm.note)) {
      if (row !== undefined) found.push(`box ${id} is ${row.status}, and its VM is still nobody's`);
    } else if (row === undefined) found.push(`VM ${id} (${vm.state}) has no row`);
    else if ((vm.state === "running") !== (row.status === "running")) {
      found.push(`box ${id} is ${row.status} (${row.errorMessage}) and its VM ${vm.state}`);
    }
  }
  for (const { id, status, ephemeral } of rows.values()) {
    if (status === "creating") found.push(`box ${id} is creating, and nobody creates it`);
    if (status === "running" && !host.boxes.has(id)) found.push(`box ${id} is running without a VM`);
    if (told.get(id) !== status) found.push(`box ${id} is ${status} in the file and ${told.get(id)} for who asks`);
    if (ephemeral) found.push(`box ${id} of a request is still there`);
  }
  return found;
}

async function resourceViolations(world: World, { store, core }: ServerLife): Promise<string[]> {
  const wanted = world.pool.flatMap((size) => Array.from({ length: size.count }, () => size));
  if (prepared(world) !== wanted.length) return [`${prepared(world)} VMs are prepared in place of ${wanted.length}`];
  const holders = [...store.boxes.list("running"), ...wanted];
  const cpu = holders.reduce((sum, box) => sum + box.cpu, 0);
  const memoryMb = holders.reduce((sum, box) => sum + box.memoryMb, 0);
  const info = await core.info();
  if (info.used_cpu === cpu && info.used_memory_mb === memoryMb) return [];
  return [
    `${info.used_cpu} CPUs and ${info.used_memory_mb} MB are held, and the running and prepared boxes have ${cpu} and ${memoryMb}`,
  ];
}

function execViolations(world: World, { store }: ServerLife): string[] {
  const found: string[] = [];
  for (const box of store.boxes.list()) {
    const vm = world.host.boxes.get(box.id);
    const execs = new Map(store.execs.listByBox(box.id).map((exec) => [exec.id, exec]));
    for (const exec of execs.values()) {
      const process = vm?.execs.get(exec.id);
      if (exec.status === "running" && (process === undefined || process.hasEnded)) {
        found.push(`exec ${exec.id} is running, its box ${box.status} and its program over`);
      }
      found.push(...outputViolations(world, exec, store.output.read(exec.id, 0, Number.POSITIVE_INFINITY)));
    }
    for (const [id, process] of vm?.execs ?? []) {
      const status = execs.get(id)?.status;
      if (!process.hasEnded && status !== "running") found.push(`program ${id} runs, and its row says ${status}`);
    }
  }
  for (const { execId, boxId } of store.unconfirmedEnds.list()) {
    const process = world.host.boxes.get(boxId)?.execs.get(execId);
    if (process?.hasEnded !== false) found.push(`the end of ${execId} is not confirmed, and its program is gone`);
  }
  for (const reader of world.readers.values()) {
    if (!reader.hasEnded && store.execs.get(reader.execId)?.status !== "running") {
      found.push(`a reader of exec ${reader.execId} waits for ever`);
    }
  }
  return found;
}

function outputViolations({ readers, counts, inputs }: World, exec: ExecRecord, stored: readonly OutputEvent[]) {
  const found: string[] = [];
  const last = stored.at(-1)?.kind;
  if ((last === "exit") !== (exec.status !== "running")) found.push(`exec ${exec.id}: ${exec.status}, last ${last}`);
  for (const [index, event] of stored.entries()) {
    if (event.seq !== index + 1) found.push(`exec ${exec.id}: event ${event.seq} is at ${index + 1}`);
  }
  const read = readers.get(exec.id);
  if (read?.hasEnded === true && JSON.stringify(read.events) !== JSON.stringify(stored)) {
    found.push(`exec ${exec.id}: its reader has ${told(read.events)}, and the store ${told(stored)}`);
  }
  const { stdout, stderr } = text(stored);
  const lines = counts.get(exec.id);
  if (lines !== undefined) {
    const whole = counted(lines);
    const isWhole = stdout === whole.stdout && stderr === whole.stderr;
    if (exec.status === "succeeded" && !isWhole) found.push(`exec ${exec.id} succeeded with ${told(stored)}`);
    if (!whole.stdout.startsWith(stdout) || !whole.stderr.startsWith(stderr)) {
      found.push(`exec ${exec.id} has output with a hole or a repeat: ${told(stored)}`);
    }
  }
  const input = inputs.get(exec.id);
  if (input !== undefined) {
    const all = input.taken + input.perhaps;
    if (!all.startsWith(stdout)) found.push(`exec ${exec.id} was given ${all} and wrote ${stdout}`);
    if (exec.status === "succeeded" && !stdout.startsWith(input.taken)) {
      found.push(`exec ${exec.id} has taken ${input.taken} and wrote ${stdout}`);
    }
  }
  return found;
}

function text(events: readonly OutputEvent[]) {
  const output = { stdout: "", stderr: "" };
  for (const event of events) if (event.kind === "log") output[event.stream] += event.data;
  return output;
}

function told(events: readonly OutputEvent[]): string {
  return events.map(({ seq, kind, data }) => `${seq} ${kind} ${JSON.stringify(data)}`).join(", ");
}
