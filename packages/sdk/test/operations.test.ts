/**
 * Holds the SDK against openapi.json: for each operation there is a method that asks for it, with all that can be asked for.
 * python/tests/test_operations.py does the same with the Python SDK.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { BoxHandle, type BoxRunClient } from "../src/index.ts";
import { readBody, StubServer, sampleBox, sendJson, toArray } from "./support/stub-server.ts";

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> };
}

const document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
} = JSON.parse(readFileSync(new URL("../../contract/openapi.json", import.meta.url), "utf8"));

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    ...operation,
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/:]+")}$`),
  })),
);

const notOfTheSdk: Readonly<Record<string, string>> = {
  getMetrics: "Prometheus reads it",
  getOpenApi: "other programs' generators read it",
  callMcp: "MCP's own clients speak it",
  streamMcp: "MCP's own clients speak it",
  endMcp: "MCP's own clients speak it",
};

/** Of an operation, what a method leaves out. */
const notAskedFor: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  streamExecEvents: { after: "Last-Event-ID says the same" },
};

const newBox = {
  name: "dev",
  cpu: 1,
  memoryMb: 128,
  diskSizeGb: 1,
  network: true,
  workdir: "/",
  env: { A: "a" },
  secretEnv: ["A"],
  volumes: [{ hostPath: "/a", guestPath: "/b", readonly: true }],
  ports: [{ guestPort: 80 }],
  labels: { a: "b" },
  ttlSeconds: 60,
  onExpiry: "stop",
} as const;
const command = { env: { A: "a" }, secretEnv: ["A"], workdir: "/", timeoutMs: 1000, user: "root" };
const size = { cols: 80, rows: 24 };

const calls: Readonly<Record<string, (client: BoxRunClient, box: BoxHandle) => Promise<unknown>>> = {
  createBox: (client) => client.create("base", newBox),
  listBoxes: (client) =>
    toArray(client.boxes.pages({ limit: 1, status: "running", labels: ["a=b"], showSecrets: true })),
  getBox: (client) => client.boxes.get("dev", { showSecrets: true }),
  removeBox: (_, box) => box.remove({ force: true }),
  startBox: (_, box) => box.start(),
  stopBox: (_, box) => box.stop({ timeoutMs: 1000 }),
  commitBox: (_, box) => box.commit("mine", { replace: true }),
  extendBox: (_, box) => box.extend(60, { onExpiry: "stop" }),
  startExec: (_, box) => toArray(box.execStream(["true"], { ...command, stdin: true, tty: size })),
  listExecs: (client) => toArray(client.execs.pages("dev", { limit: 1 })),
  getExec: (client) => client.execs.get("dev", "exec_a"),
  streamExecEvents: (client) => toArray(client.execs.events("dev", "exec_a", { after: 1, follow: false })),
  cancelExec: (client) => client.execs.cancel("dev", "exec_a"),
  writeExecStdin: (client) => client.execs.stdin("dev", "exec_a", "a", { eof: true, offset: 1 }),
  resizeExec: (client) => client.execs.resize("dev", "exec_a", size),
  signalExec: (client) => client.execs.signal("dev", "exec_a", "SIGINT"),
  attach: (_, box) => box.attach({ shell: "sh", session: "work", share: true, size, term: "xterm" }),
  listSessions: (_, box) => box.sessions(),
  removeSession: (_, box) => box.removeSession("work"),
  listPorts: (_, box) => box.ports(),
  connectPort: (_, box) => box.connect(80),
  uploadFile: (_, box) => box.files.uploadArchive("/a", "a", { owner: "root" }),
  downloadFile: (_, box) => box.files.downloadArchive("/a", { full: true }),
  listFiles: (_, box) => box.files.list("/a"),
  removeFile: (_, box) => box.files.remove("/a"),
  statFile: (_, box) => box.files.stat("/a", { follow: true }),
  makeDirectory: (_, box) => box.files.mkdir("/a", { parents: true, owner: "root" }),
  renameFile: (_, box) => box.files.rename("/a", "/b", { replace: true }),
  watchFiles: (_, box) => toArray(box.files.watch("/a", { recursive: true })),
  listImages: (client) => client.images.list(),
  pullImage: (client) => toArray(client.images.pull("python")),
  importImage: (client) => client.images.import("a", { reference: "mine" }),
  getImage: (client) => client.images.get("python:3"),
  removeImage: (client) => client.images.remove("python:3"),
  run: (client) => client.run("base", ["true"], { ...newBox, timeoutMs: 1000 }),
  collectGarbage: (client) => client.collect({ older_than: 1, output_older_than: 1 }),
  listOrphans: (client) => client.orphans.list(),
  adoptOrphan: (client) => client.orphans.adopt("a"),
  removeOrphan: (client) => client.orphans.remove("a"),
  getInfo: (client) => client.info(),
  getFindings: (client) => client.findings(),
  getUsage: (client) => client.usage(),
  streamEvents: (client) => toArray(client.events()),
  getHealth: (client) => client.health(),
  listHistory: (client) => toArray(client.history.pages({ limit: 1, box: "dev", after: 1 })),
  getStats: (_, box) => toArray(box.followStats()),
  getStatsHistory: (client) => client.stats.history("dev"),
  listStats: (client) => toArray(client.stats.followAll({ points: 1 })),
  getSignIn: (client) => client.signIn.current(),
  signIn: (client) => client.signIn.enter("a"),
  signOut: (client) => client.signIn.leave(),
  createSignInLink: (client) => client.signIn.createLink(),
};

describe("an operation of the API", () => {
  it("has a method, or a reason to have none", () => {
    const named = [...Object.keys(calls), ...Object.keys(notOfTheSdk)].sort();
    expect(named).toEqual(operations.map(({ operationId }) => operationId).sort());
  });

  it.each(Object.entries(calls))("is asked for with all that it takes: %s", async (id, call) => {
    const asked: { readonly operation: string | undefined; readonly names: readonly string[] }[] = [];
    await using stub = await StubServer.start(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
      const operation = operations.find(({ method, pattern }) => method === request.method && pattern.test(pathname));
      const names = [...searchParams.keys(), ...Object.keys(request.headers), ...(await fieldsOf(request))];
      asked.push({ operation: operation?.operationId, names });
      // The first page of a list, so that the second is asked for; all else is refused.
      if (searchParams.has("limit") && !searchParams.has("cursor")) {
        response.setHeader("boxrun-next-cursor", "a");
        sendJson(response, 200, []);
      } else sendJson(response, 404, { code: "BOX_NOT_FOUND", message: "a test's" });
    });
    await expect(call(stub.client, new BoxHandle(stub.client, { ...sampleBox }))).rejects.toMatchObject({
      code: "BOX_NOT_FOUND",
    });
    expect([...new Set(asked.map(({ operation }) => operation))]).toEqual([id]);
    const names = new Set(asked.flatMap((request) => request.names));
    expect(takenBy(id).filter((name) => !names.has(name))).toEqual(Object.keys(notAskedFor[id] ?? {}));
  });
});

/** Its parameters but those of the path, and the fields of its body. */
function takenBy(id: string): string[] {
  const operation = operations.find(({ operationId }) => operationId === id);
  const parameters = operation?.parameters?.filter((parameter) => parameter.in !== "path").map(({ name }) => name);
  const fields = Object.values(operation?.requestBody?.content ?? {}).flatMap(({ schema = {} }) => {
    const { properties = {} } = document.components.schemas[schema.$ref?.split("/").at(-1) ?? ""] ?? schema;
    return Object.keys(properties);
  });
  return [...(parameters ?? []), ...fields];
}

async function fieldsOf(request: IncomingMessage): Promise<string[]> {
  const body = (await readBody(request)).toString("latin1");
  if (request.headers["content-type"] === "application/json") return Object.keys(JSON.parse(body));
  return [...body.matchAll(/form-data; name="(\w+)"/g)].map(([, name = ""]) => name);
}
