/** A server in a process of its own: `serve.ts FLAGS-AS-JSON`. Prints one line when it takes calls, or why it does not. */
import { BoxRunError } from "@boxrun/contract";
import { serve } from "../../src/index.ts";

const flags = JSON.parse(process.argv[2] ?? "{}");
try {
  const server = await serve({ flags });
  process.stdout.write(`${JSON.stringify({ socket: server.socketPath, tcp: server.tcp })}\n`);
  await server.stopped;
} catch (error) {
  if (!(error instanceof BoxRunError)) throw error;
  process.stdout.write(`${JSON.stringify(error)}\n`);
  process.exitCode = 1;
}
