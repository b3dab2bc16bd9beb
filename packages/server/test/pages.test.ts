import { urls } from "@boxrun/contract";
import { expect, it } from "vitest";
import { ask, createBox, startExec } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const small = { cpu: 1, memory_mb: 128 };

async function page(server: TestServer, path: string) {
  const { json, headers } = await ask(server, path);
  if (!Array.isArray(json)) throw new Error(`no list: ${JSON.stringify(json)}`);
  return { ids: json.map(({ id }) => id), next: headers["boxrun-next-cursor"] };
}

it("boxes come in pages, newest first, each once, also if one goes in between; a list without pages is whole", async () => {
  await using server = await startTestServer();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.unshift((await createBox(server, small)).id);
  expect(await page(server, "/v1/boxes")).toEqual({ ids, next: undefined });
  const first = await page(server, "/v1/boxes?limit=2&status=running");
  expect(first).toEqual({ ids: ids.slice(0, 2), next: expect.any(String) });
  // The one at whose end the next page begins, and one of that page.
  for (const id of ids.slice(1, 3)) await ask(server, `/v1/boxes/${id}?force=true`, { method: "DELETE" });
  const second = await page(server, `/v1/boxes?limit=2&status=running&cursor=${first.next}`);
  expect(second).toEqual({ ids: ids.slice(3), next: undefined });
});

it("a box's execs come in pages, and no other's", async () => {
  await using server = await startTestServer();
  const box = await createBox(server, small);
  const other = await createBox(server, small);
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    ids.unshift((await startExec(server, box.id, ["true"])).id);
    await startExec(server, other.id, ["true"]);
  }
  const path = `/v1/boxes/${box.id}/execs`;
  expect(await page(server, path)).toEqual({ ids, next: undefined });
  expect(await page(server, `${path}?limit=5`)).toEqual({ ids, next: undefined });
  const first = await page(server, `${path}?limit=3`);
  expect(first.ids).toEqual(ids.slice(0, 3));
  expect(await page(server, `${path}?limit=3&cursor=${first.next}`)).toEqual({ ids: ids.slice(3), next: undefined });
});

it.each(["limit=0", "limit=1001", "limit=x", "cursor=1", "cursor=-1.2", "cursor=1.2.3"])(
  "a page of %s is refused",
  async (query) => {
    await using server = await startTestServer();
    expect((await ask(server, `/v1/boxes?${query}`)).json).toMatchObject({ code: "VALIDATION_ERROR" });
  },
);

it("boxes are picked by the labels of the query, all of them", async () => {
  await using server = await startTestServer({ tcp: null });
  const body = { image: "base", cpu: 1, memory_mb: 64 };
  await ask(server, urls.boxes(), { body: { ...body, name: "web", labels: { team: "ci", tier: "web" } } });
  await ask(server, urls.boxes(), { body: { ...body, name: "db", labels: { team: "ci" } } });
  const names = async (...label: string[]) => JSON.stringify((await ask(server, urls.boxes({ label }))).json);
  expect(await names("team=ci")).toMatch(/"db".*"web"/);
  expect(await names("team", "tier=web")).not.toContain('"db"');
  expect((await ask(server, `${urls.boxes()}?label==x`)).status).toBe(422);
});
