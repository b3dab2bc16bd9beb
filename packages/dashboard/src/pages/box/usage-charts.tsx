import type { Box } from "boxrun-sdk";
import type { ComponentProps } from "react";
import { useLiveUsage } from "../../api/stats.ts";
import { Chart } from "../../ui/chart.tsx";
import { Notice } from "../../ui/notice.tsx";
import { bytesText } from "../../util/bytes.ts";

const percent = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
const perSecond = (value: number) => `${bytesText(value)}/s`;

/** What a running box uses, now and in the last hour. */
export function UsageCharts({ box }: { readonly box: Box }) {
  const { now, series } = useLiveUsage(box.id, box.status === "running");
  const { at } = series;
  return (
    <>
      {now !== undefined && now.guest_error !== null && (
        <Notice kind="warn" title="What the host sees, for the box does not tell">
          {now.guest_error}
        </Notice>
      )}
      <div className="charts">
        <ChartCard
          title="CPU"
          at={at}
          lines={[{ name: "CPU", colour: "--accent", values: series.cpuPercent }]}
          format={percent}
          max={100}
        />
        <ChartCard
          title="Memory"
          at={at}
          lines={[{ name: "Memory", colour: "--accent", values: series.memoryBytes }]}
          format={bytesText}
          isBinary
          max={box.memory_mb * 1024 * 1024}
        />
        <ChartCard
          title="Disk"
          at={at}
          lines={[{ name: "Disk", colour: "--accent", values: series.diskBytes }]}
          format={bytesText}
          isBinary
        />
        {box.network && (
          <ChartCard
            title="Network"
            at={at}
            lines={[
              { name: "received", colour: "--accent", values: series.receivedPerSecond },
              { name: "sent", colour: "--good", values: series.sentPerSecond },
            ]}
            format={perSecond}
            isBinary
            max={1024}
          />
        )}
      </div>
    </>
  );
}

function ChartCard(props: ComponentProps<typeof Chart>) {
  return (
    <div className="card">
      <Chart {...props} />
    </div>
  );
}
