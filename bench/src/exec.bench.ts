import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { EngineBox } from "./engine-box.ts";
import { type Figure, median, ms, timed } from "./figures.ts";

const calls = 200;

/** `echo` through HTTP, from the POST to the exit event, against the same call made straight to the agent. Turn and turn about. */
export async function benchExec(): Promise<Figure[]> {
  await using own = await EngineBox.create({ memoryMb: 256 });
  await using server = await TestServer.start();
  const box = await server.http.createBox();
  const throughServer: number[] = [];
  const straight: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    straight.push((await timed(() => execStraight(own, `exec_${call}`))).ms);
    throughServer.push((await timed(() => execThroughServer(server, box.id))).ms);
  }
  const over = median(throughServer) - median(straight);
  return [
    {
      name: `exec echo, POST to exit event, median of ${calls}`,
      value: `${ms(median(throughServer))}, ${ms(over)} over`,
      reference: `straight to the agent, ${ms(median(straight))}`,
      bar: "10 ms over",
      held: over <= 10,
    },
  ];
}

async function execStraight(box: EngineBox, id: string): Promise<void> {
  const exec = await box.exec(id, ["echo", "hello"]);
  let output = "";
  for await (const chunk of exec.output) output += Buffer.from(chunk.data).toString();
  const { code } = await exec.exit;
  if (output !== "hello\n" || code !== 0)
    throw new Error(`echo printed ${JSON.stringify(output)} and ended with ${code}`);
  // The server forgets later, and lets nobody wait for it: neither does this.
  void exec.forget();
}

async function execThroughServer(server: TestServer, boxId: string): Promise<void> {
  const { stdout, exitCode } = await collect(server.http.follow(boxId, ["echo", "hello"]));
  if (stdout !== "hello\n" || exitCode !== 0)
    throw new Error(`echo printed ${JSON.stringify(stdout)} and ended with ${exitCode}`);
}
