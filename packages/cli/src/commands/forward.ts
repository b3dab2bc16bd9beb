import { once } from "node:events";
import { type Forwarding, forward } from "../forwarding.ts";
import { addressText, type PortMapping, portMapping } from "../port-mapping.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("<port...>", "8080 for the same port on both sides, 8080:80, 127.0.0.1:8080:80", mappings)
    .addHelpText(
      "after",
      `
Listens on this host, on 127.0.0.1 unless an address says otherwise, until Ctrl-C, and passes each connection to the port of the box: to whatever
listens there on the box's 127.0.0.1 or ::1. The box needs no network. 0:80 takes a port of this host that is free. Whoever can reach the
port here reaches the service: on 127.0.0.1 that is every user of this host.

\`boxrun create -p 8080:80\` has the server do it for as long as the box runs; \`boxrun ports BOX\` shows what listens in a box.

Examples:
  $ boxrun forward dev 8080
  $ boxrun forward dev 8080:80 127.0.0.1:5432:5432
  $ boxrun forward dev 0:80 --json
`,
    )
    .action((box: string, ports: PortMapping[]) =>
      withServer(command, `forward ${box}`, async (session) => {
        const { client, reporter, signal } = session;
        // Whether there is such a box, and whether it can do this, is told at once.
        await client.ports.list(box, { signal });
        await using open = new AsyncDisposableStack();
        const forwardings: Forwarding[] = [];
        for (const port of ports) forwardings.push(open.use(await forward(session, box, port)));
        await reporter.result(
          forwardings.map(({ host, port, boxPort }) => ({ host, port, box_port: boxPort })),
          () =>
            forwardings.map(({ host, port, boxPort }) => `${addressText(host, port)} → ${box}:${boxPort}\n`).join(""),
        );
        if (!signal.aborted) await once(signal, "abort");
        throw signal.reason;
      }),
    );
}

function mappings(text: string, previous: readonly PortMapping[] = []): PortMapping[] {
  return [...previous, portMapping(text)];
}
