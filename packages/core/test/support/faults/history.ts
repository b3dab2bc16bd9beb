import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { createBoxRequestSchema, execRequestSchema } from "@boxrun/contract";
import { MemoryHost } from "@boxrun/engine-testkit";
import { Chance } from "@boxrun/engine-testkit/chance";
import { Weather } from "./faults.ts";
import { violations } from "./invariants.ts";
import { Reader } from "./reader.ts";
import { beginLife, type ServerLife } from "./server.ts";
import type { World } from "./world.ts";

/** The SQLite file is a real one; that it survives a power cut is not what a history is about. */
const memoryDisk = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const maxBoxes = 3;
/** Of what is created, about every second one. */
const keptReady = { image: "base", cpu: 1, memoryMb: 128, diskSizeGb: 8, network: false, count: 2 };
/** Of the usual times a server has a twentieth, or next to nothing: as on a host on which everything is late. */
const impatiences = [20, 20_000];
/** How long a thing may take once nothing fails any more; much more than it ever takes. */
const limitMs = 5_000;

/** Plays one history, and returns what is wrong at its end: nothing, if all is well. */
export async function playHistory(seed: number): Promise<string[]> {
  const directory = await mkdtemp(join(memoryDisk, "boxrun-faults-"));
  try {
    return await new History(seed, directory).play();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

class History {
  readonly #chance: Chance;
  readonly #weather: Weather;
  readonly #world: World;
  /** What clients wait for, by what they asked. */
  readonly #underWay = new Map<Promise<unknown>, string>();
  readonly #said: string[] = [];
  /** What must never happen, and did. */
  readonly #broken: string[] = [];
  #life: ServerLife | undefined;

  constructor(seed: number, directory: string) {
    this.#chance = new Chance(seed);
    this.#weather = new Weather(this.#chance);
    const maps = { readers: new Map(), counts: new Map(), inputs: new Map() };
    const pool = this.#chance.hits(0.5) ? [keptReady] : [];
    const impatience = this.#chance.pick(impatiences) ?? 20;
    this.#world = { host: new MemoryHost(), directory, pool, impatience, ...maps };
  }

  async play(): Promise<string[]> {
    await this.#begin();
    for (let steps = 8 + this.#chance.below(24); steps > 0; steps -= 1) {
      this.#weather.faultProbability = this.#chance.pick([0, 0.03, 0.1, 0.3]) ?? 0;
      if (this.#chance.hits(0.1)) this.#life?.faults.release();
      await this.#step();
      for (let turns = this.#chance.below(6); turns > 0; turns -= 1) await nextTurn();
    }
    this.#weather.faultProbability = 0;
    this.#life?.faults.release();
    const found = [...this.#broken, ...(await this.#settled("at the end"))];
    if (found.length === 0) {
      await this.#end(this.#chance.hits(0.5));
      await this.#begin();
      found.push(...(await this.#settled("in the next life")));
    }
    if (found.length === 0) found.push(...(await this.#removeAll()));
    await this.#end(false);
    return found.length === 0 ? [] : [...found, `after: ${this.#said.join("; ")}`];
  }

  async #step(): Promise<void> {
    const { host } = this.#world;
    const box = this.#chance.pick([...host.boxes.keys()]);
    const kind = this.#chance.below(100);
    if (box === undefined || (kind < 12 && host.boxes.size < maxBoxes)) return this.#create();
    if (kind < 40) return this.#exec(box);
    if (kind < 52) return this.#type();
    if (kind < 58) return this.#cancel();
    if (kind < 70) return this.#ask(`stop ${box}`, ({ core }) => core.boxes.stop(box));
    if (kind < 80) return this.#ask(`start ${box}`, ({ core }, signal) => core.boxes.start(box, { signal }));
    if (kind < 84) return this.#ask(`remove ${box}`, ({ core }) => core.boxes.remove(box, { force: true }));
    if (kind < 90) {
      this.#said.push(`${box} dies`);
      return this.#kill(box);
    }
    if (kind < 94) return this.#run();
    const crash = kind < 97;
    this.#said.push(crash ? "crash" : "restart");
    await this.#end(crash);
    await this.#begin();
  }

  /** Comes up again until it does: a server that can't read its store says so and is started anew. */
  async #begin(): Promise<void> {
    const { readers } = this.#world;
    for (;;) {
      try {
        this.#life = await beginLife(this.#world, this.#weather);
        break;
      } catch {
        this.#said.push("does not come up");
        await nextTurn();
      }
    }
    const life = this.#life;
    for (const reader of readers.values()) this.#track(`read ${reader.execId}`, reader.follow(life));
  }

  async #end(crash: boolean): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    const ended = crash ? life?.crash() : life?.close();
    if (!(await Promise.race([ended?.then(() => true), delay(limitMs, false)])))
      this.#broken.push("the server does not end");
  }

  #kill(box: string): void {
    try {
      this.#world.host.kill(box);
    } catch (error) {
      this.#broken.push(`the death of ${box} throws into the engine: ${error}`);
    }
  }

  #create(): void {
    const giveUp = this.#chance.hits(0.15);
    this.#ask("create", async ({ core }, signal) => {
      const request = createBoxRequestSchema.parse({ image: "base", cpu: 1 + this.#chance.below(2), memory_mb: 128 });
      const mine = new AbortController();
      const creating = core.boxes.create(request, { signal: AbortSignal.any([signal, mine.signal]) });
      if (giveUp) await Promise.race([nextTurn().then(() => mine.abort()), creating]);
      await creating;
    });
  }

  #run(): void {
    this.#ask("run", ({ core }, signal) => {
      const box = createBoxRequestSchema.parse({ image: "base", cpu: 1, memory_mb: 128 });
      return core.run({ ...box, cmd: ["count", "3"] }, { signal });
    });
  }

  #exec(box: string): void {
    const { readers, counts, inputs } = this.#world;
    const kind = this.#chance.below(4);
    const lines = this.#chance.below(60);
    const cmd = kind === 0 ? ["cat"] : kind === 1 ? ["sleep", "1000"] : ["count", String(lines)];
    this.#ask(`${cmd.join(" ")} in ${box}`, async (life) => {
      const exec = await life.core.execs.start(box, execRequestSchema.parse({ cmd, stdin: kind === 0 }));
      if (kind === 0) inputs.set(exec.id, { taken: "", perhaps: "" });
      if (kind > 1) counts.set(exec.id, lines);
      const reader = new Reader(exec.id);
      readers.set(exec.id, reader);
      this.#track(`read ${exec.id}`, reader.follow(life));
    });
  }

  #type(): void {
    const { inputs, host } = this.#world;
    const id = this.#chance.pick([...inputs.keys()]);
    const box = [...host.boxes.values()].find(({ execs }) => execs.has(id ?? ""))?.id;
    const input = inputs.get(id ?? "");
    // One at a time, and no more after one that may have got through.
    if (id === undefined || box === undefined || input === undefined || input.perhaps !== "") return;
    const text = `${this.#said.length},`;
    const eof = this.#chance.hits(0.3);
    input.perhaps = text;
    this.#ask(`type ${text} to ${id}`, async ({ core }, signal) => {
      await core.execs.writeStdin(box, id, Readable.from([text]), { eof, signal });
      inputs.set(id, { taken: input.taken + text, perhaps: "" });
    });
  }

  #cancel(): void {
    const { host } = this.#world;
    const box = this.#chance.pick([...host.boxes.values()]);
    const id = this.#chance.pick([...(box?.execs.keys() ?? [])]);
    if (box === undefined || id === undefined) return;
    this.#ask(`cancel ${id}`, ({ core }) => core.execs.cancel(box.id, id));
  }

  #ask(what: string, work: (life: ServerLife, signal: AbortSignal) => Promise<unknown>): void {
    const life = this.#life;
    if (life === undefined) return;
    const said = this.#said.push(what) - 1;
    const asked = (async () => await work(life, life.leaving))().then(
      () => {
        this.#said[said] = `${what}: done`;
      },
      (error: unknown) => {
        this.#said[said] = `${what}: ${error instanceof Error ? error.message : String(error)}`;
      },
    );
    this.#track(what, asked);
  }

  #track(what: string, work: Promise<unknown>): void {
    this.#underWay.set(work, what);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Once nothing fails any more: whatever was asked is answered, and then everything is as it has to be. */
  async #settled(when: string): Promise<string[]> {
    const life = this.#life;
    if (life === undefined) throw new Error("no server is there");
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const asked = [...this.#underWay.values()].filter((what) => !what.startsWith("read "));
      const found =
        asked.length > 0 ? asked.map((what) => `${what} is not answered`) : await violations(this.#world, life);
      if (found.length === 0) return [];
      if (performance.now() > deadlineMs) return found.map((what) => `${when}: ${what}`);
      await delay(1);
    }
  }

  async #removeAll(): Promise<string[]> {
    const life = this.#life;
    if (life === undefined) return [];
    for (const { id } of life.core.boxes.list()) await life.core.boxes.removeIfThere(id);
    const found = await this.#settled("after all boxes were removed");
    const { host, pool } = this.#world;
    if (host.boxes.size > pool.reduce((sum, { count }) => sum + count, 0)) found.push("a VM is left");
    for (const reader of this.#world.readers.values())
      if (!reader.hasEnded) found.push(`${reader.execId} is read still`);
    return found;
  }
}
