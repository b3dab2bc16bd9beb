import { setTimeout as delay } from "node:timers/promises";
import { boxSchema, execSchema, infoSchema, urls } from "@boxrun/contract";
import { Chance } from "@boxrun/engine-testkit/chance";
import { signalProcess } from "@boxrun/host";
import { z } from "zod";
import { Follower, type Program } from "./follower.ts";
import { Host } from "./host.ts";
import { type KnownBox, missingFiles, servesVolume, violations } from "./truth.ts";

interface StormOptions {
  readonly seed: number;
  /** What happens, how many times. */
  readonly steps: number;
  readonly maxBoxes: number;
  /** Told of each step. */
  readonly say: (what: string) => void;
  /** Ends it, and everything that it has started. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a thing may take once nothing fails any more, on a busy machine without KVM. */
const calmMs = 240_000;
const maxUnderWay = 5;

/**
 * A random history over real VMs: clients create, run, type, stop, start and remove, while the server is killed and frozen, VMs are killed, frozen
 * and panic, what is around them dies and is frozen, root in a box signals its agent and all else, and the disk fills up. Returns what is wrong at its end: nothing, if all is well.
 */
export async function playStorm(options: StormOptions): Promise<string[]> {
  await using host = await Host.begin();
  return await new Storm(host, options).play();
}

class Storm {
  readonly #host: Host;
  readonly #options: StormOptions;
  readonly #chance: Chance;
  readonly #boxes = new Map<string, KnownBox>();
  readonly #followers: Follower[] = [];
  readonly #reading: Promise<void>[] = [];
  readonly #underWay = new Map<Promise<void>, string>();
  readonly #over = new AbortController();
  /** What must never happen, and did. */
  readonly #broken: string[] = [];
  #files = 0;
  #canShare = false;

  constructor(host: Host, options: StormOptions) {
    this.#host = host;
    this.#options = options;
    this.#chance = new Chance(options.seed);
  }

  async play(): Promise<string[]> {
    const server = await this.#host.server();
    const info = infoSchema.parse((await server.http.json("GET", urls.info())).body);
    this.#canShare = info.engine.capabilities.includes("volumes");
    this.#create();
    for (let step = 0; step < this.#options.steps; step++) {
      await this.#step();
      await delay(this.#chance.below(1500), undefined, { signal: this.#options.signal });
      if (this.#underWay.size >= maxUnderWay)
        await this.#within(Promise.race(this.#underWay.keys()), "a client's call");
    }
    await this.#host.freeDisk();
    await this.#bringBackVolumes();
    await this.#calm();
    const found = [...this.#broken, ...(await violations(this.#host, this.#boxes, this.#followers))];
    if (found.length > 0) return found;
    this.#options.say("another server");
    await this.#host.again("kill");
    found.push(...(await violations(this.#host, this.#boxes, this.#followers)));
    found.push(...(await this.#filesAreThere()));
    found.push(...(await this.#removeAll()));
    return [...found, ...this.#broken];
  }

  async #step(): Promise<void> {
    const box = this.#chance.pick([...this.#boxes.values()].filter(({ isRemoved }) => !isRemoved));
    const kind = this.#chance.below(100);
    if (box === undefined || (kind < 8 && this.#boxes.size < this.#options.maxBoxes)) return this.#create();
    if (kind < 30) return this.#count(box);
    if (kind < 38) return this.#feed(box);
    if (kind < 48) return this.#flush(box);
    if (kind < 52) return this.#cancel();
    if (kind < 57) return this.#ends(box, "stop", (call) => call("POST", urls.stopBox(box.id, 2000)));
    if (kind < 66) return this.#ask(`start ${box.id}`, (call) => call("POST", urls.startBox(box.id)));
    if (kind < 69) return this.#remove(box);
    if (kind < 74) return await this.#killVm(box);
    if (kind < 77) return this.#panic(box);
    if (kind < 81) return await this.#freezeVm(box);
    if (kind < 84) return await this.#killHelper(box);
    if (kind < 87) return await this.#freezeHelper(box);
    if (kind < 89) return this.#signalAgent(box);
    if (kind < 91) return this.#killInside(box);
    if (kind < 93) return await this.#server("kill");
    if (kind < 95) return await this.#server("stop");
    if (kind < 97) return await this.#freezeServer();
    return await this.#fullDisk();
  }

  #create(): void {
    const network = this.#chance.hits(0.4);
    // Without one it comes from a template, and is there sooner.
    const hasVolume = this.#canShare && this.#chance.hits(0.25);
    const what = `create${network ? " with a network" : ""}${hasVolume ? " with a volume" : ""}`;
    const volumes = hasVolume ? [{ host_path: this.#host.volumeDir, guest_path: "/shared" }] : [];
    this.#ask(what, async (call) => {
      const answer = await call("POST", urls.boxes(), {
        image: "base",
        cpu: 1,
        memory_mb: 256,
        disk_size_gb: 1,
        network,
        volumes,
      });
      if (answer.status !== 201) return answer;
      const { id } = boxSchema.parse(answer.body);
      this.#boxes.set(id, { id, network, hasVolume, ends: 0, isRemoved: false, flushed: new Set() });
      return answer;
    });
  }

  /** A program that prints numbered lines, fast and slow, and ends with 7. */
  #count(box: KnownBox): void {
    const lines = 1 + this.#chance.below(this.#chance.hits(0.2) ? 20_000 : 400);
    // At most 50 pauses: it is to end, on a busy machine as well, while others wait for it.
    const pauseAt = Math.max(1 + this.#chance.below(200), Math.ceil(lines / 50));
    const script = `i=1; while [ $i -le ${lines} ]; do echo line $i; [ $((i % ${pauseAt})) = 0 ] && sleep 0.2; i=$((i+1)); done; exit 7`;
    const whole = () => Array.from({ length: lines }, (_, n) => `line ${n + 1}\n`).join("");
    this.#program(box, `${lines} lines`, { cmd: ["sh", "-c", script] }, { whole, exitCode: 7 });
  }

  /** A program that gives back what it is given, piece by piece, each as often as it takes. */
  #feed(box: KnownBox): void {
    const pieces = Array.from({ length: 1 + this.#chance.below(6) }, (_, n) =>
      `${n} `.repeat(1 + this.#chance.below(4000)),
    );
    const whole = () => pieces.join("");
    this.#program(
      box,
      `${pieces.length} pieces`,
      { cmd: ["cat"], stdin: true },
      { whole, exitCode: 0 },
      async (execId) => {
        let offset = 0;
        for (const [index, piece] of pieces.entries()) {
          const path = urls.stdin(box.id, execId, { offset, eof: index === pieces.length - 1 });
          offset += piece.length;
          for (let taken = false; !taken; ) {
            const server = await this.#host.server(this.#over.signal);
            const answer = await server.http.raw("POST", path, { body: piece }).catch(() => undefined);
            await answer?.body.dump();
            if (answer !== undefined && answer.statusCode >= 400 && answer.statusCode < 500) return;
            taken = answer?.statusCode === 200;
          }
        }
      },
    );
  }

  #program(
    box: KnownBox,
    what: string,
    request: Readonly<Record<string, unknown>>,
    end: Pick<Program, "whole" | "exitCode">,
    feed: (execId: string) => Promise<void> = async () => undefined,
  ): void {
    const endsBefore = box.ends;
    this.#ask(`${what} in ${box.id}`, async (call) => {
      const answer = await call("POST", urls.startExec(box.id), request);
      if (answer.status !== 201) return answer;
      const execId = execSchema.parse(answer.body).id;
      const follower = new Follower({ boxId: box.id, execId, endsBefore, isCanceled: false, ...end });
      this.#followers.push(follower);
      this.#reading.push(follower.follow(this.#host, this.#over.signal).catch(() => undefined));
      await feed(execId);
      return answer;
    });
  }

  /** A file that a program has flushed stays, whatever ends the VM. */
  #flush(box: KnownBox): void {
    const name = `kept-${this.#files++}`;
    this.#ask(`flush ${name} in ${box.id}`, async (call) => {
      const onVolume = box.hasVolume ? `; echo ${name} > /shared/${name}` : "";
      const script = `echo ${name} > /root/${name} && sync && echo flushed${onVolume}`;
      const answer = await call("POST", urls.startExec(box.id), { cmd: ["sh", "-c", script] });
      if (answer.status !== 201) return answer;
      const { stdout } = await this.#untilEnded(box, execSchema.parse(answer.body).id);
      if (stdout === "flushed\n") box.flushed.add(name);
      return answer;
    });
  }

  /** Follows a command of which nothing is expected. */
  async #untilEnded(box: KnownBox, execId: string): Promise<Follower> {
    const program = { boxId: box.id, execId, endsBefore: -1, isCanceled: true, whole: () => "", exitCode: 0 };
    const follower = new Follower(program);
    await follower.follow(this.#host, this.#over.signal);
    return follower;
  }

  #cancel(): void {
    const follower = this.#chance.pick(this.#followers.filter(({ hasEnded }) => !hasEnded));
    if (follower === undefined) return;
    const { program } = follower;
    program.isCanceled = true;
    this.#ask(`cancel ${program.execId}`, (call) =>
      call("POST", urls.execAction(program.boxId, program.execId, "cancel")),
    );
  }

  #remove(box: KnownBox): void {
    box.isRemoved = true;
    this.#ends(box, "remove", (call) => call("DELETE", urls.removeBox(box.id, true)));
  }

  async #killVm(box: KnownBox): Promise<void> {
    const vm = await this.#host.processes(box.id);
    if (vm === undefined) return;
    this.#options.say(`SIGKILL for the VM of ${box.id}`);
    box.ends++;
    signalProcess(vm.qemu, "SIGKILL");
    await this.#untilNotRunning(box);
  }

  #panic(box: KnownBox): void {
    const isPanic = this.#chance.hits(0.6);
    const script = `sync; echo now; ${isPanic ? "echo c > /proc/sysrq-trigger" : "kill -TERM 1; sleep 60"}`;
    this.#ends(box, isPanic ? "panic" : "power off from within", async (call) => {
      const answer = await call("POST", urls.startExec(box.id), { cmd: ["sh", "-c", script] });
      if (answer.status !== 201) return answer;
      // What kills everything in the box may have come before it did that.
      const { stdout } = await this.#untilEnded(box, execSchema.parse(answer.body).id);
      if (stdout !== "") await this.#untilNotRunning(box);
      return answer;
    });
  }

  async #freezeVm(box: KnownBox): Promise<void> {
    const vm = await this.#host.processes(box.id);
    if (vm === undefined) return;
    const ms = 500 + this.#chance.below(12_000);
    this.#options.say(`SIGSTOP for the VM of ${box.id}, for ${ms} ms`);
    signalProcess(vm.qemu, "SIGSTOP");
    if (this.#chance.hits(0.3)) await this.#server("kill");
    else await delay(ms);
    signalProcess(vm.qemu, "SIGCONT");
  }

  async #killHelper(box: KnownBox): Promise<void> {
    const helper = this.#chance.pick(await this.#host.helpers(box.id));
    if (helper === undefined) return;
    this.#options.say(`SIGKILL for ${helper.name} of ${box.id}`);
    signalProcess(helper.ref, "SIGKILL");
  }

  async #freezeHelper(box: KnownBox): Promise<void> {
    const helper = this.#chance.pick(await this.#host.helpers(box.id));
    if (helper === undefined) return;
    const ms = 500 + this.#chance.below(6000);
    this.#options.say(`SIGSTOP for ${helper.name} of ${box.id}, for ${ms} ms`);
    signalProcess(helper.ref, "SIGSTOP");
    if (this.#chance.hits(0.3)) await this.#server("kill");
    else await delay(ms);
    signalProcess(helper.ref, "SIGCONT");
  }

  /** Root in a box can't end or stop its agent, which is process 1, but by the signals that power a machine off: nothing changes. */
  #signalAgent(box: KnownBox): void {
    const script = "for s in STOP KILL HUP QUIT SEGV ABRT BUS FPE TRAP TSTP PIPE ALRM; do kill -$s 1; done; exit 7";
    this.#program(box, "every signal for the agent", { cmd: ["sh", "-c", script] }, { whole: () => "", exitCode: 7 });
  }

  /** Everything in the box but the agent is stopped, or stopped for a while and then killed. */
  #killInside(box: KnownBox): void {
    const script = this.#chance.hits(0.5)
      ? "kill -STOP -1; sleep 2; kill -CONT -1"
      : "kill -STOP -1; sleep 1; kill -KILL -1";
    this.#ends(box, `${script} in`, async (call) => {
      const answer = await call("POST", urls.startExec(box.id), { cmd: ["sh", "-c", script] });
      // What begins while it sleeps is killed as well.
      if (answer.status === 201) await this.#untilEnded(box, execSchema.parse(answer.body).id);
      return answer;
    });
  }

  async #server(how: "kill" | "stop"): Promise<void> {
    this.#options.say(`${how} the server`);
    await this.#host.again(how);
  }

  async #freezeServer(): Promise<void> {
    const ms = 500 + this.#chance.below(4000);
    this.#options.say(`SIGSTOP for the server, for ${ms} ms`);
    await this.#host.freezeServer(ms);
  }

  async #fullDisk(): Promise<void> {
    if (!this.#host.hasOwnDisk) return;
    const ms = this.#chance.below(6000);
    this.#options.say(`the disk is full, for ${ms} ms`);
    await this.#host.fillDisk();
    await delay(ms);
    await this.#host.freeDisk();
  }

  /** A call that ends a box: what ran before, during and right before its answer may be cut. */
  #ends(box: KnownBox, what: string, work: (call: Call) => Promise<Answer>): void {
    box.ends++;
    this.#ask(`${what} ${box.id}`, async (call) => {
      try {
        return await work(call);
      } finally {
        box.ends++;
      }
    });
  }

  async #untilNotRunning(box: KnownBox): Promise<void> {
    await this.#within(
      (async () => {
        for (;;) {
          const server = await this.#host.server(this.#over.signal);
          const { status, body } = await server.http
            .json("GET", urls.box(box.id))
            .catch(() => ({ status: 0, body: undefined }));
          if (status === 404 || (status === 200 && boxSchema.parse(body).status !== "running")) break;
          await delay(100);
        }
      })(),
      `noticing the end of ${box.id}`,
    );
    box.ends++;
  }

  /** A client's call, in the background. One whose server goes away is not made again: nobody knows what became of it. */
  #ask(what: string, work: (call: Call) => Promise<Answer>): void {
    this.#options.say(what);
    const call: Call = async (method, path, body) => {
      const server = await this.#host.server(this.#over.signal);
      return await server.http.json(method, path, body);
    };
    const done = work(call)
      .then(
        ({ status, body }) => {
          if (status >= 500 && status !== 503) this.#broken.push(`${what}: answered ${status} ${JSON.stringify(body)}`);
        },
        () => undefined,
      )
      .finally(() => this.#underWay.delete(done));
    this.#underWay.set(done, what);
  }

  /** A volume whose server was killed is gone, and programs wait for it, until its box is stopped and started again, as the box says. */
  async #bringBackVolumes(): Promise<void> {
    for (const box of this.#boxes.values()) {
      if (!box.hasVolume || box.isRemoved || (await this.#host.processes(box.id)) === undefined) continue;
      if (servesVolume(await this.#host.helpers(box.id))) continue;
      this.#ends(box, "bring back the volume of", async (call) => {
        await call("POST", urls.stopBox(box.id, 2000));
        return await call("POST", urls.startBox(box.id));
      });
    }
  }

  /** Until nothing is under way any more. */
  async #calm(): Promise<void> {
    this.#options.say("calm");
    await this.#within(Promise.all(this.#underWay.keys()), [...this.#underWay.values()].join(", "));
    await this.#within(Promise.all(this.#reading), "a reader");
    this.#over.abort();
  }

  async #within(work: Promise<unknown>, what: string): Promise<void> {
    const timer = new AbortController();
    const late = delay(calmMs, true, { signal: timer.signal }).catch(() => false);
    const done = work.then(() => false);
    if (await Promise.race([done, late])) this.#broken.push(`${what} did not end in ${calmMs / 1000} s`);
    timer.abort();
  }

  async #filesAreThere(): Promise<string[]> {
    const server = await this.#host.server();
    const found: string[] = [];
    for (const box of this.#boxes.values()) {
      if (box.isRemoved || box.flushed.size === 0) continue;
      const { status } = await server.http.getBox(box.id);
      if (status !== "running") {
        const answer = await server.http.json("POST", urls.startBox(box.id));
        if (answer.status !== 200) {
          found.push(`box ${box.id} does not start again: ${JSON.stringify(answer.body)}`);
          continue;
        }
      }
      found.push(...(await missingFiles(server, box)));
    }
    return found;
  }

  async #removeAll(): Promise<string[]> {
    const server = await this.#host.server();
    const rows = z.array(boxSchema).parse((await server.http.json("GET", urls.boxes())).body);
    for (const { id } of rows) await server.http.json("DELETE", urls.removeBox(id, true));
    const left = await this.#host.boxDirectories();
    return [
      ...left.map((id) => `the directory of ${id} is left behind`),
      ...this.#host.leftAlive().map(({ pid }) => `process ${pid} of a box that was removed lives on`),
    ];
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}
type Call = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) => Promise<Answer>;
