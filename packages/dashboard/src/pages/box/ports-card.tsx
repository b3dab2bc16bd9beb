import type { PublishedPort } from "@boxrun/contract";
import type { Box, ListeningPort } from "boxrun-sdk";
import { failureOf } from "../../api/failure.ts";
import { useListeningPorts } from "../../api/ports.ts";
import { CopyIcon } from "../../ui/copy.tsx";
import { Card, Facts } from "../../ui/page.tsx";
import { type Column, Table } from "../../ui/table.tsx";

/** The ports of the host that lead into a box, and what listens in it. */
export function PortsCard({ box }: { readonly box: Box }) {
  const published = box.ports ?? [];
  if (box.status !== "running" && published.length === 0) return null;
  return (
    <Card title="Ports">
      {published.length > 0 && (
        <Facts facts={published.map((port) => [`${port.guest_port}`, <Published key="port" port={port} />] as const)} />
      )}
      {box.status === "running" && <Listening boxId={box.id} />}
    </Card>
  );
}

function Published({ port: { host_ip, host_port } }: { readonly port: PublishedPort }) {
  const address = `${host_ip.includes(":") ? `[${host_ip}]` : host_ip}:${host_port}`;
  return (
    <span className="published">
      host <code>{address}</code>
      <CopyIcon text={address} label={`Copy ${address}`} />
    </span>
  );
}

const listeningColumns: readonly Column[] = [{ name: "Listens" }, { name: "Program" }, { name: "Forward" }];

function Listening({ boxId }: { readonly boxId: string }) {
  const { data: ports, error } = useListeningPorts(boxId);
  if (error !== null) return <p className="quiet">What listens is not known: {failureOf(error).message}</p>;
  if (ports === undefined) return <p className="quiet">Asking what listens…</p>;
  if (ports.length === 0) return <p className="quiet ports">Nothing listens in it.</p>;
  return (
    <Table label="What listens in it" className="ports" columns={listeningColumns}>
      {ports.map((port) => (
        <ListeningRow key={`${port.address} ${port.port}`} boxId={boxId} port={port} />
      ))}
    </Table>
  );
}

function ListeningRow({ boxId, port }: { readonly boxId: string; readonly port: ListeningPort }) {
  const command = `boxrun forward ${boxId} ${port.port}`;
  return (
    <tr>
      <td>
        <code>
          {port.address}:{port.port}
        </code>
      </td>
      <td>{port.process ?? "–"}</td>
      <td className="quiet">
        {port.reachable ? <CopyIcon text={command} label={`Copy ${command}`} /> : "not from outside"}
      </td>
    </tr>
  );
}
