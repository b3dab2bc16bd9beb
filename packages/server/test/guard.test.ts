import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { Guard } from "../src/auth/guard.ts";

test("a look for the caller that found nobody is no verdict on the rest of the connection", async () => {
  const looks = [undefined, process.getuid?.()];
  const guard = new Guard({
    token: null,
    allowedHosts: [],
    signIns: { find: () => undefined },
    peerUid: async () => looks.shift(),
  });
  const server = createServer((request, response) => {
    guard.checkCaller(request).then(
      () => response.end("welcome"),
      (error: Error) => response.end(error.message),
    );
  });
  server.on("connection", (socket) => guard.entered(socket, { kind: "tcp", loopback: true, names: new Set() }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = server.address() as AddressInfo;
  const ask = async () => {
    const [response] = await once(get({ host: "127.0.0.1", port, agent }), "response");
    return await text(response);
  };
  expect(await ask()).toContain("does not tell which user is calling");
  expect(await ask()).toBe("welcome");
  // And what was found stays: nobody is looked for any more.
  expect(await ask()).toBe("welcome");
  agent.destroy();
  server.close();
});
