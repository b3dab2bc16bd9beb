import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { allowedNetworks, nameServers } from "../src/network.ts";

const dir = mkdtempSync(join(tmpdir(), "bn-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const allowed = new BlockList();
for (const network of allowedNetworks) {
  const [address = "", bits] = network.split("/");
  allowed.addSubnet(address, Number(bits));
}

test.each([
  "127.0.0.1",
  "127.255.255.255",
  "169.254.169.254",
  "192.168.127.254",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
])("%s is allowed to no box", (address) => expect(allowed.check(address)).toBe(false));

test.each([
  "1.1.1.1",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "192.168.127.253",
  "192.168.127.255",
  "223.255.255.255",
])("%s is allowed to a box with a network", (address) => expect(allowed.check(address)).toBe(true));

test("name servers are the host's, but for those that a box can't reach", async () => {
  const [stub, real] = [join(dir, "stub"), join(dir, "real")];
  writeFileSync(stub, "# local\nnameserver 127.0.0.53\noptions edns0\n");
  writeFileSync(real, "nameserver fe80::1\nnameserver 10.0.0.1\n nameserver 10.0.0.2\nsearch lan\n");
  expect(await nameServers([stub, real])).toEqual(["10.0.0.1", "10.0.0.2"]);
  expect(await nameServers([real, stub])).toEqual(["10.0.0.1", "10.0.0.2"]);
  expect((await nameServers([stub, join(dir, "missing")])).length).toBeGreaterThan(0);
});
