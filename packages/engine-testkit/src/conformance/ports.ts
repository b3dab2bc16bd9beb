import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, eventually, never } from "./harness.ts";

const largeBytes = 8 * 1024 * 1024;

export function portBehaviours({ behaviour, harness }: Suite): void {
  let lastPort = 8000;

  /** A port of the shared box where every connection has such a program to itself. */
  async function serve(...program: readonly string[]): Promise<number> {
    lastPort += 1;
    const port = lastPort;
    const exec = await harness.start(harness.box, ["nc", "-ll", "-p", String(port), "-e", ...program]);
    const over = collect(exec).catch(() => undefined);
    onTestFinished(async () => {
      await exec.cancel().catch(() => undefined);
      await over;
    });
    await eventually(`port ${port} listens`, 20_000, async () =>
      (await harness.engine.listPorts(harness.box)).some((listening) => listening.port === port),
    );
    return port;
  }

  const connect = (port: number, signal: AbortSignal = never()) =>
    harness.engine.connect(harness.box, port, { signal });

  behaviour("a port of the box is reached without a network, and each direction ends by itself", [], async () => {
    const connection = await connect(await serve("cat"));
    connection.write("one ");
    expect(await until(connection, "one ")).toBe("one ");
    connection.end("two");
    expect(await text(connection)).toBe("two");
  });

  behaviour("a program that says its last word first is heard out", [], async () => {
    const connection = await connect(await serve("echo", "good-bye"));
    expect(await text(connection)).toBe("good-bye\n");
    connection.destroy();
  });

  behaviour("8 MB go through a port and come back byte for byte", ["binary-output"], async () => {
    const connection = await connect(await serve("cat"));
    const bytes = randomBytes(largeBytes);
    connection.end(bytes);
    expect((await buffer(connection)).equals(bytes)).toBe(true);
  });

  behaviour("a hundred connections at once, and one more thing to do", [], async () => {
    const port = await serve("cat");
    const connections: Duplex[] = [];
    for (let index = 0; index < 100; index += 1) {
      const connection = await connect(port);
      connections.push(connection);
      // It is accepted: only a few may wait for that with this program.
      connection.write("x");
      await until(connection, "x");
    }
    for (const [index, connection] of connections.entries()) connection.end(`number ${index}`);
    expect((await harness.run(["echo", "control"])).stdout.toString()).toBe("control\n");
    const answers = await Promise.all(connections.map((connection) => text(connection)));
    expect(answers).toEqual(connections.map((_, index) => `number ${index}`));
  });

  behaviour("a reader of a port that stands still holds up nobody", [], async () => {
    const port = await serve("cat");
    const slow = await connect(port);
    slow.on("error", () => undefined);
    // It comes back, as far as there is room for it, and nobody reads it.
    slow.write(Buffer.alloc(largeBytes));
    const quick = await connect(port);
    quick.end(Buffer.alloc(largeBytes));
    expect(await buffer(quick)).toHaveLength(largeBytes);
    expect((await harness.run(["echo", "control"])).stdout.toString()).toBe("control\n");
    slow.destroy();
  });

  behaviour("a port where nothing listens rejects with PORT_REFUSED", [], async () => {
    await expect(connect(7)).rejects.toMatchObject({ code: "PORT_REFUSED" });
  });

  behaviour("aborting the signal ends a connection", [], async () => {
    const given = new AbortController();
    const connection = await connect(await serve("cat"), given.signal);
    given.abort(new Error("enough"));
    await expect(text(connection)).rejects.toThrow();
  });

  behaviour("who listens is told with the port", [], async () => {
    const port = await serve("cat");
    const listening = (await harness.engine.listPorts(harness.box)).find((one) => one.port === port);
    expect(listening).toMatchObject({
      port,
      pid: expect.any(Number),
      process: expect.stringMatching(/^(nc|busybox)$/),
    });
  });

  behaviour("a connection ends with the box, and a box that does not run has no ports", [], async () => {
    const box = await harness.anyBox();
    const exec = await harness.start(box, ["nc", "-ll", "-p", "8080", "-e", "cat"]);
    void collect(exec).catch(() => undefined);
    await eventually("port 8080 listens", 20_000, async () =>
      (await harness.engine.listPorts(box)).some(({ port }) => port === 8080),
    );
    const connection = await harness.engine.connect(box, 8080, { signal: never() });
    // Its program is told to end, and says good-bye or not.
    const ended = text(connection).catch((error: unknown) => error);
    await harness.engine.stop(box);
    await ended;
    await expect(harness.engine.connect(box, 8080, { signal: never() })).rejects.toMatchObject({
      code: "BOX_NOT_RUNNING",
    });
  });
}

/** Reads until it has all of the text, and leaves the rest. */
async function until(connection: Duplex, wanted: string): Promise<string> {
  let soFar = "";
  while (soFar.length < wanted.length) {
    const chunk: unknown = connection.read();
    if (chunk instanceof Buffer) soFar += chunk.toString();
    else await new Promise((resolve) => connection.once("readable", resolve));
  }
  return soFar;
}
