import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";

/** A web server on the host's loopback that counts who comes. */
async function loopbackServer() {
  let visits = 0;
  const server = createServer((_, response) => {
    visits += 1;
    response.end("host loopback");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    visits: () => visits,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Not wget's own -T: Debian's static busybox 1.35 dies of it with SIGSEGV. */
const fetch = (url: string) => ["timeout", "5", "wget", "-q", "-O", "-", url];

export function networkBehaviours({ behaviour, harness, options }: Suite): void {
  const networked = () => harness.otherBox("networked", { network: true });

  behaviour("without a network a box has no interface but lo", ["linux"], async () => {
    expect(await harness.sh("ls /sys/class/net")).toBe("lo");
  });

  behaviour("lo works without a network: programs of a box reach one another", ["linux"], async () => {
    const script =
      "(echo answer | nc -l -p 7070) & " +
      "for i in 1 2 3 4 5 6 7 8 9 10; do nc -w 2 127.0.0.1 7070 < /dev/null && break; sleep 0.3; done; wait";
    expect(await harness.sh(script)).toContain("answer");
  });

  behaviour("without a network nothing of the host is reached", ["linux"], async () => {
    await using host = await loopbackServer();
    for (const address of ["127.0.0.1", "10.0.2.2"]) {
      const { exit } = await harness.run(fetch(`http://${address}:${host.port}/`));
      expect(exit.code).not.toBe(0);
    }
    expect(host.visits()).toBe(0);
  });

  behaviour(
    "with a network a box reaches others, but never the host's loopback or link-local services",
    ["network", "linux", "network-fixture"],
    async () => {
      if ("unavailable" in options.network) return;
      await using fixture = await options.network.start();
      await using host = await loopbackServer();
      const box = await networked();
      const { exit, stdout, stderr } = await harness.run(fetch(fixture.reachable.url), {}, box);
      expect({ code: exit.code, stderr: stderr.toString() }).toMatchObject({ code: 0 });
      expect(stdout.toString()).toBe(fixture.reachable.text);

      const gateway = await harness.sh("ip route | awk '/^default/ { print $3 }'", box);
      const ways = new Set([gateway, "10.0.2.2", "127.0.0.1"].filter((address) => address !== ""));
      const toHost = [...ways].map((address) => harness.run(fetch(`http://${address}:${host.port}/`), {}, box));
      const toForbidden = fixture.forbidden.map(async ({ url, what }) => {
        expect((await harness.run(fetch(url), {}, box)).exit.code, `${url} (${what})`).not.toBe(0);
      });
      // Side by side: most of them are answered by nobody, and wait for their time to be over.
      await Promise.all([...toHost, ...toForbidden]);
      expect(host.visits()).toBe(0);
    },
  );

  behaviour("with a network a box has one interface beside lo, and a resolver", ["network", "linux"], async () => {
    const box = await networked();
    expect((await harness.sh("ls /sys/class/net", box)).split("\n")).toHaveLength(2);
    expect(await harness.sh("cat /etc/resolv.conf", box)).toMatch(/^nameserver \S+/m);
  });
}
