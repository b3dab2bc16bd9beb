import { urls } from "@boxrun/contract";
import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { curl } from "./curl.ts";
import { EngineBox } from "./engine-box.ts";
import { type Figure, mb, median, ms, timed } from "./figures.ts";
import { untilIdle } from "./idle-process.ts";
import { peakResident } from "./memory.ts";

const sizeMb = 64;
const rounds = 3;
/** Of the agent's own speed. */
const leastRatio = 0.8;
const mostGrowth = 100 * 1024 * 1024;

const line = "this is a line of the output, and every one of them is as long as the others\n";
const lines = Math.floor((sizeMb * 1024 * 1024) / line.length);
const bytes = lines * line.length;
/** Its output lies in memory, so that it costs the program as little as may be to say it. */
const prepare = ["sh", "-c", `yes '${line.trimEnd()}' | head -n ${lines} > /dev/shm/lines`];
const program = ["dd", "if=/dev/shm/lines", "bs=64k"];

/** 64 MiB of output, stored and followed by three readers, against the same straight from the agent, where they are only counted. Turn and turn about. */
export async function benchOutput(): Promise<Figure[]> {
  await using own = await EngineBox.create({ memoryMb: 512 });
  // What an event costs counts, too: all of it is to be kept.
  await using server = await TestServer.start({ env: { BOXRUN_OUTPUT_LIMIT_MB: String(2 * sizeMb) } });
  const box = await server.http.createBox({ memory_mb: 512 });
  await countStraight(own, "prepare", prepare);
  await server.http.run(box.id, prepare);
  const straight: number[] = [];
  const through: number[] = [];
  const growths: number[] = [];
  let complete = await isComplete(server, box.id);
  for (let round = 0; round < rounds; round += 1) {
    // What the server does about the last round when that is over, the reference has no part in.
    await untilIdle(server.pid);
    const counted = await timed(() => countStraight(own, `exec_${round}`, program));
    complete &&= counted.result === bytes;
    straight.push(counted.ms);
    const { before, peak, result } = await peakResident(server.pid, () => timed(() => follow(server, box.id)));
    through.push(result.ms);
    growths.push(peak - before);
  }
  const ratio = median(straight.map((took, round) => took / (through[round] ?? Number.NaN)));
  const rate = (took: number) => `${(sizeMb / (took / 1000)).toFixed(1)} MB/s`;
  const growth = Math.max(...growths);
  return [
    {
      name: `${sizeMb} MB of output, stored, to three readers, median of ${rounds}`,
      value: `${ratio.toFixed(2)} × the agent's own speed, ${rate(median(through))}`,
      reference: `straight from the agent, ${rate(median(straight))}, ${ms(median(straight))}`,
      bar: `${leastRatio} ×`,
      held: ratio >= leastRatio,
    },
    {
      name: "what the readers have",
      value: complete ? "complete and in order" : "NOT complete",
      reference: `${lines} lines`,
      bar: "complete, same order",
      held: complete,
    },
    {
      name: "server's memory meanwhile",
      value: `+${mb(growth)}`,
      reference: `${sizeMb} MB of output`,
      bar: `+${mb(mostGrowth)}`,
      held: growth < mostGrowth,
    },
  ];
}

/** Acknowledged as the server does it, at once, and kept nowhere. */
async function countStraight(box: EngineBox, id: string, cmd: readonly string[]): Promise<number> {
  const exec = await box.exec(id, cmd);
  const offsets = { stdout: 0, stderr: 0 };
  for await (const { stream, data } of exec.output) {
    offsets[stream] += data.length;
    exec.acknowledge({ ...offsets });
  }
  const { code } = await exec.exit;
  if (code !== 0) throw new Error(`${cmd.join(" ")} ended with ${code}`);
  void exec.forget();
  return offsets.stdout;
}

const three = [1, 2, 3];

/** Three readers that take next to none of the CPU that they share with server and guest. */
async function follow(server: TestServer, boxId: string): Promise<void> {
  const exec = await server.http.startExec(boxId, program);
  const events = urls.execEvents(boxId, exec.id);
  await Promise.all(three.map(() => curl(server.socketPath, events, ["--output", "/dev/null"])));
}

/** Whether each of three readers has all of it, in order. */
async function isComplete(server: TestServer, boxId: string): Promise<boolean> {
  const exec = await server.http.startExec(boxId, program);
  const readers = await Promise.all(three.map(() => collect(server.http.events(boxId, exec.id))));
  return readers.every(
    ({ stdout, seqs, exitCode }) =>
      exitCode === 0 && stdout === line.repeat(lines) && seqs.every((seq, index) => seq === index + 1),
  );
}
