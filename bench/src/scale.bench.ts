import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, mb, ms, timed } from "./figures.ts";
import { peakResident } from "./memory.ts";

const boxes = 10_000;
const execs = 1_000_000;
const lists = 200;
const largest = "box_scale000001";

/** A server whose file has 10,000 stopped boxes, one of them with a million execs. */
export async function benchScale(): Promise<Figure[]> {
  await using server = await TestServer.start();
  const { stateDir } = server;
  const empty = await firstAnswer(server);
  await server.stop();
  fill(join(stateDir, "boxrun.db"));
  const start = await firstAnswer(server);
  const { peak, result } = await peakResident(server.pid, async () => {
    const answers: number[] = [];
    for (let n = 0; n < lists; n += 1) {
      const path = n % 2 === 0 ? "/v1/boxes?limit=100" : `/v1/boxes/${largest}/execs?limit=100`;
      answers.push((await timed(() => server.http.json("GET", path))).ms);
    }
    const scrape = await timed(() => server.http.json("GET", "/v1/info"));
    const idle = await longestPause(server);
    // What is deleted behind it may hold up whoever asks meanwhile.
    const [pause] = await Promise.all([longestPause(server), server.http.json("DELETE", `/v1/boxes/${largest}`)]);
    return { answers: answers.toSorted((a, b) => a - b), scrape: scrape.ms, pause, idle };
  });
  const p99 = result.answers[Math.floor(lists * 0.99)] ?? Number.NaN;
  const figure = (name: string, value: string, reference: string, bar: string, held: boolean): Figure => {
    return { name, value, reference, bar, held };
  };
  await server.stop();
  // Its boxes are none: nothing is to be removed one by one.
  for (const end of ["", "-wal", "-shm"]) await rm(join(stateDir, `boxrun.db${end}`), { force: true });
  return [
    figure("start to first answer", ms(start), `${ms(empty)} with an empty file`, "2 s", start < 2_000),
    figure("a page of a list, p99", ms(p99), `${ms(result.scrape)} for /v1/info`, "20 ms", p99 < 20),
    figure(
      "longest pause behind the removal of 1 M execs",
      ms(result.pause),
      `${ms(result.idle)} while nothing was removed: the host's own`,
      "100 ms, or twice the reference",
      result.pause < Math.max(100, 2 * result.idle),
    ),
    figure("server's memory at most", mb(peak), "-", "300 MB", peak < 300 * 1024 * 1024),
  ];
}

/** The longest that an answer without any work took, for as long as the removal of a million execs goes on and more. */
async function longestPause(server: TestServer): Promise<number> {
  let longest = 0;
  for (const until = performance.now() + 15_000; performance.now() < until; ) {
    longest = Math.max(longest, (await timed(() => server.http.json("GET", "/healthz"))).ms);
  }
  return longest;
}

async function firstAnswer(server: TestServer): Promise<number> {
  await server.stop();
  return (await timed(() => server.restart())).ms;
}

function fill(path: string): void {
  const db = new DatabaseSync(path);
  const count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)";
  db.exec("BEGIN");
  db.prepare(
    `${count} INSERT INTO boxes (id, status, image, cpu, memory_mb, disk_size_gb, network, workdir, engine, created_at_ms, stopped_at_ms)
     SELECT printf('box_scale%06d', i), 'stopped', 'base', 1, 128, 1, 0, '/root', 'qemu', i, i FROM n`,
  ).run(boxes);
  db.prepare(
    `${count} INSERT INTO execs (id, box_id, status, cmd, tty, stdin, exit_code, created_at_ms, finished_at_ms)
     SELECT printf('exec_scale%08d', i), ?, 'succeeded', '["true"]', 0, 0, 0, i, i FROM n`,
  ).run(execs, largest);
  db.exec("COMMIT");
  db.close();
}
