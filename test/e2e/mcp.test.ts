import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, it } from "vitest";
import { cliPath, TestServer } from "./support/server.ts";

it("an agent works in a real box over MCP, and its ephemeral session leaves nothing behind", async () => {
  await using server = await TestServer.start();
  const client = new Client({ name: "test", version: "1" });
  const env = { PATH: process.env.PATH ?? "", BOXRUN_STATE_DIR: server.stateDir };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [cliPath, "mcp", "--ephemeral"], env }),
  );
  await client.listTools();
  const call = async (name: string, input: Record<string, unknown>) => {
    const result = CallToolResultSchema.parse(await client.callTool({ name, arguments: input }));
    expect([name, result.isError ?? false, result.content]).toEqual([name, false, expect.anything()]);
    return result.structuredContent ?? {};
  };
  const { name: box } = await call("box_create", { cpu: 1, memory_mb: 256, disk_size_gb: 1 });
  const path = "/root/count.sh";
  await call("file_write", {
    box,
    path,
    content: "#!/bin/sh\nfor i in $(seq 1 $1); do echo line $i; done; uname -s >&2\n",
  });
  await call("exec", { box, command: `chmod 755 ${path} && chown 1000:1000 ${path}` });
  await call("file_edit", { box, path, old_text: "line $i", new_text: "number $i" });
  const { entries } = await call("file_list", { box, path: "/root" });
  expect(entries).toContainEqual(expect.objectContaining({ name: "count.sh", mode: "0755" }));
  const counted = await call("exec", { box, command: `${path} 5000 | tee all; stat -c %u ${path}`, output_limit: 400 });
  expect(counted).toMatchObject({ exit_code: 0, stderr: "Linux\n", truncated: true });
  expect(counted.stdout).toMatch(
    /^number 1\nnumber 2\n.*\n\[… \d+ characters .* offset 200 …\]\n.*\nnumber 5000\n1000\n$/s,
  );
  const rest = await call("exec_output", { box, exec_id: counted.exec_id, offset: 200, limit: 100 });
  expect(rest).toMatchObject({ offset: 200, next_offset: 300, at_end: false });
  expect(
    await call("run", { command: "cat /proc/sys/kernel/hostname; ls /root", memory_mb: 256, cpu: 1 }),
  ).toMatchObject({
    exit_code: 0,
  });
  await client.close();
  expect((await server.http.json("GET", "/v1/boxes")).body).toEqual([]);
});
