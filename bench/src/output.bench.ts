import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, mb, ms, timed } from "./figures.ts";
import { peakResident } from "./memory.ts";

const lines = 200_000;
const megabyte = 1024 * 1024;

/** 200,000 lines of output: stored complete, three readers in the same order, and the server stays small. */
export async function benchOutput(): Promise<Figure[]> {
  await using server = await TestServer.start();
  const box = await server.http.createBox();
  const program = ["awk", `BEGIN { for (n = 1; n <= ${lines}; n++) print "this is line number " n " of the output" }`];
  // The reference: the same program, its output counted in the box and not sent anywhere.
  const reference = await timed(() =>
    server.http.run(box.id, ["sh", "-c", `${program.map((word) => `'${word}'`).join(" ")} | wc -c`]),
  );
  const { before, peak, result } = await peakResident(server.pid, () =>
    timed(async () => {
      const exec = await server.http.startExec(box.id, program);
      return Promise.all([1, 2, 3].map(() => collect(server.http.events(box.id, exec.id))));
    }),
  );
  const expected = Array.from({ length: lines }, (_, n) => `this is line number ${n + 1} of the output\n`).join("");
  const complete = result.result.every(
    (reader) => reader.stdout === expected && reader.seqs.every((seq, index) => seq === index + 1),
  );
  const growth = peak - before;
  return [
    {
      name: `${lines} lines to three readers`,
      value: `${complete ? "complete and in order" : "NOT complete"} in ${ms(result.ms)}`,
      reference: `${ms(reference.ms)} for the program alone, into wc`,
      bar: "complete, same order",
      held: complete,
    },
    {
      name: "server's memory meanwhile",
      value: `+${mb(growth)}`,
      reference: `${mb(before)} before`,
      bar: "+100 MB",
      held: growth < 100 * megabyte,
    },
  ];
}
