import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, mb } from "./figures.ts";
import { residentBytes } from "./memory.ts";

const count = 10;

/** What the server itself holds while ten boxes do nothing. */
export async function benchIdle(): Promise<Figure[]> {
  await using server = await TestServer.start();
  await server.http.json("GET", "/v1/info");
  const empty = await residentBytes(server.pid);
  for (let n = 0; n < count; n += 1) await server.http.createBox({ name: `idle-${n}`, memory_mb: 128 });
  const idle = await residentBytes(server.pid);
  return [
    {
      name: `server's memory with ${count} idle boxes`,
      value: mb(idle),
      reference: `${mb(empty)} with none`,
      bar: "150 MB",
      held: idle < 150 * 1024 * 1024,
    },
  ];
}
