import type { Box } from "boxrun-sdk";
import { lazy, Suspense } from "react";
import { Age } from "../../components/age.tsx";
import { CopyIcon } from "../../ui/copy.tsx";
import { Waiting } from "../../ui/notice.tsx";
import { Card, Facts } from "../../ui/page.tsx";
import { megabytesText } from "../../util/bytes.ts";
import { dateText } from "../../util/time.ts";
import { Deadline } from "./deadline.tsx";
import { PortsCard } from "./ports-card.tsx";

const UsageCharts = lazy(() => import("./usage-charts.tsx").then(({ UsageCharts }) => ({ default: UsageCharts })));

export function OverviewTab({ box }: { readonly box: Box }) {
  return (
    <>
      {box.status === "running" && (
        <Suspense fallback={<Waiting what="Loading the charts" />}>
          <UsageCharts box={box} />
        </Suspense>
      )}
      <div className="cards">
        <Card title="Machine">
          <Facts
            facts={[
              ["Image", <code key="image">{box.image}</code>],
              ["Digest", box.image_digest === null ? "–" : <Digest key="digest" digest={box.image_digest} />],
              ["Engine", box.engine],
              ["CPU", `${box.cpu} ${box.cpu === 1 ? "core" : "cores"}`],
              ["Memory", megabytesText(box.memory_mb)],
              ["Disk", `${box.disk_size_gb} GB at most`],
              ["Network", box.network ? "yes" : "none"],
              ["Directory", <code key="workdir">{box.workdir}</code>],
            ]}
          />
        </Card>
        <Card title="Times">
          <Facts
            facts={[
              ["Created", <Moment key="created" at={box.created_at} />],
              ["Started", <Moment key="started" at={box.started_at} />],
              ["Stopped", <Moment key="stopped" at={box.stopped_at} />],
              ["Expires", <Deadline key="expires" box={box} />],
            ]}
          />
        </Card>
        <PortsCard box={box} />
        {box.labels !== undefined && Object.keys(box.labels).length > 0 && (
          <Card title="Labels">
            <Facts
              facts={Object.entries(box.labels).map(
                ([name, value]) => [name, value === "" ? "–" : <code key={name}>{value}</code>] as const,
              )}
            />
          </Card>
        )}
        {box.env !== null && Object.keys(box.env).length > 0 && (
          <Card title="Environment">
            <Facts
              facts={Object.entries(box.env).map(([name, value]) => [name, <code key={name}>{value}</code>] as const)}
            />
          </Card>
        )}
        {box.volumes !== null && box.volumes.length > 0 && (
          <Card title="Volumes">
            <Facts
              facts={box.volumes.map(
                ({ guest_path, host_path, readonly }) =>
                  [guest_path, `${host_path} on the host${readonly ? ", read only" : ""}`] as const,
              )}
            />
          </Card>
        )}
      </div>
    </>
  );
}

function Moment({ at }: { readonly at: string | null }) {
  if (at === null) return "–";
  return (
    <>
      {dateText(at)}{" "}
      <span className="quiet">
        (<Age since={at} />)
      </span>
    </>
  );
}

function Digest({ digest }: { readonly digest: string }) {
  return (
    <span className="digest">
      <code title={digest}>{digest.replace(/^sha256:/, "").slice(0, 12)}</code>
      <CopyIcon text={digest} label="Copy the digest" />
    </span>
  );
}
