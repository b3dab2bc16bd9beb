import type { Finding, Info, SignedIn, Usage } from "@boxrun/contract";
import { Link } from "wouter";
import { failureOf } from "../api/failure.ts";
import { useMetrics } from "../api/metrics.ts";
import { type RecentEvent, useRecentEvents } from "../api/recent.ts";
import { useFindings, useInfo, useUsage } from "../api/server.ts";
import { signOut, useSignedIn } from "../api/sign-in.ts";
import { boxPath } from "../components/paths.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Meter } from "../ui/meter.tsx";
import { Notice, Waiting } from "../ui/notice.tsx";
import { Card, Facts, Page } from "../ui/page.tsx";
import { bytesText, megabytesText } from "../util/bytes.ts";
import { classes } from "../util/classes.ts";
import { clockText, dateText } from "../util/time.ts";
import { shellLine } from "../util/words.ts";
import "./server.css";

export function ServerPage() {
  const info = useInfo();
  const usage = useUsage();
  return (
    <Page title="Server">
      {info === undefined && <Waiting what="Asking the server" />}
      <div className="cards">
        {info !== undefined && <About info={info} />}
        <You />
        <Disk usage={usage.data} error={usage.error} onRefresh={() => void usage.refetch()} />
        <Metrics />
      </div>
      <Doctor />
      <Recent />
    </Page>
  );
}

function About({ info }: { readonly info: Info }) {
  const { engine } = info;
  return (
    <>
      <Card title="Version and engine">
        <Facts
          facts={[
            ["Version", info.version],
            ["Engine", `${engine.name}, ${engine.accelerator}`],
            ["Ready", engine.ready ? "yes" : "no"],
            ["Why", engine.reason ?? engine.why],
            ...(engine.reason === undefined ? [] : ([["Accelerator", engine.why]] as const)),
            ...(engine.considered ?? []).map(({ name, why }) => [`Not ${name}`, why] as const),
            ...(engine.confinement === undefined ? [] : ([["Confinement", engine.confinement.how]] as const)),
            ["Can", engine.capabilities.join(", ")],
          ]}
        />
      </Card>
      <Card title="Limits and use">
        <div className="meters">
          <Meter label="CPUs" value={info.used_cpu} max={info.max_cpu} text={`${info.used_cpu} of ${info.max_cpu}`} />
          <Meter
            label="Memory"
            value={info.used_memory_mb}
            max={info.max_memory_mb}
            text={`${megabytesText(info.used_memory_mb)} of ${megabytesText(info.max_memory_mb)}`}
          />
          <Facts facts={Object.entries(info.boxes).map(([status, count]) => [status, String(count)] as const)} />
        </div>
      </Card>
    </>
  );
}

interface DiskProps {
  readonly usage: Usage | undefined;
  readonly error: Error | null;
  readonly onRefresh: () => void;
}

function Disk({ usage, error, onRefresh }: DiskProps) {
  return (
    <Card title="Disk" actions={<IconButton icon="again" label="Measure the disk again" onClick={onRefresh} />}>
      {error !== null && <Notice kind="bad">{failureOf(error).message}</Notice>}
      {usage !== undefined && (
        <Facts
          facts={[
            ["Boxes", bytesText(usage.boxes_bytes)],
            ["Images", bytesText(usage.images_bytes)],
            ["Prepared", bytesText(usage.prepared_images_bytes)],
            ["Output", bytesText(usage.output_bytes)],
            ["Database", bytesText(usage.database_bytes)],
            ["Logs", bytesText(usage.logs_bytes)],
            ["Free", bytesText(usage.free_bytes)],
          ]}
        />
      )}
    </Card>
  );
}

function Metrics() {
  const { data: metrics, error, refetch } = useMetrics();
  return (
    <Card
      title="Metrics"
      actions={<IconButton icon="again" label="Read the metrics again" onClick={() => void refetch()} />}
    >
      {error !== null && <Notice kind="bad">{failureOf(error).message}</Notice>}
      {metrics !== undefined && <Facts facts={metrics} />}
    </Card>
  );
}

const findingIcons: Readonly<Record<Finding["status"], IconName>> = { ok: "check", warn: "warning", fail: "warning" };
const findingWords: Readonly<Record<Finding["status"], string>> = {
  ok: "All right",
  warn: "A warning",
  fail: "A failure",
};

/** What `boxrun doctor` finds on the server's host; what is not all right comes first. */
function Doctor() {
  const { data: findings, error, isFetching, refetch } = useFindings();
  const rank = { fail: 0, warn: 1, ok: 2 };
  const sorted = findings?.toSorted((one, other) => rank[one.status] - rank[other.status]);
  return (
    <Card
      title="Doctor"
      actions={
        <IconButton icon="again" label="Examine the host again" disabled={isFetching} onClick={() => void refetch()} />
      }
    >
      {error !== null && <Notice kind="bad">{failureOf(error).message}</Notice>}
      {sorted !== undefined && (
        <ul className="findings">
          {sorted.map(({ name, status, message, advice }) => (
            <li key={`${name} ${message}`}>
              <span className={classes("finding", `finding-${status}`)}>
                <Icon name={findingIcons[status]} />
                <span className="unseen">{findingWords[status]}:</span>
              </span>
              <strong>{name}</strong>
              <span className="break">
                {message}
                {advice !== undefined && <span className="finding-advice quiet">{advice}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const callers: Readonly<Record<SignedIn["kind"], string>> = {
  socket: "the owner of the server's socket",
  loopback: "the server's own user, on its machine",
  token: "whoever has the server's token",
  browser: "a browser that is signed in",
};

function You() {
  const you = useSignedIn();
  if (you === undefined) return null;
  return (
    <Card title="You">
      <Facts
        facts={[
          ["Known as", callers[you.kind]],
          ["User id", you.uid === null ? "not known" : String(you.uid)],
          ...(you.expires_at === null ? [] : ([["Until", dateText(you.expires_at)]] as const)),
        ]}
      />
      {you.kind === "browser" && (
        <div className="form-end">
          <Button onClick={() => void signOut()}>Sign out</Button>
        </div>
      )}
    </Card>
  );
}

function Recent() {
  const events = useRecentEvents();
  return (
    <Card title="Since this page was opened">
      {events.length === 0 ? (
        <p className="quiet">Nothing has happened yet. What changes is listed here as it does.</p>
      ) : (
        <ol className="recent">
          {events.map((one) => (
            <li key={one.number}>
              <time className="quiet">{clockText(new Date(one.atMs).toISOString())}</time>
              <RecentText recent={one} />
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function RecentText({ recent: { event } }: { readonly recent: RecentEvent }) {
  if (event.event === "box_removed") {
    return (
      <span className="clip">
        <code>{event.data.id}</code> was removed
      </span>
    );
  }
  if (event.event === "box") {
    return (
      <span className="clip">
        <Link to={boxPath(event.data)}>{event.data.name ?? event.data.id}</Link> is {event.data.status}
      </span>
    );
  }
  return (
    <span className="clip">
      <Link to={boxPath({ id: event.data.box_id }, "execs")}>
        <code>{shellLine(event.data.cmd)}</code>
      </Link>{" "}
      is {event.data.status}
    </span>
  );
}
