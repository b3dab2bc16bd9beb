import type { Box } from "boxrun-sdk";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { boxLabel, useBox, verbAllowed } from "../../api/boxes.ts";
import { useCommandBoxes } from "../../components/box-commands.tsx";
import { BoxMenu } from "../../components/box-menu.tsx";
import { BoxState } from "../../components/box-state.tsx";
import { HistoryList } from "../../components/history-list.tsx";
import { type BoxTab, boxPath, boxTabs } from "../../components/paths.ts";
import { Button } from "../../ui/button.tsx";
import { CopyIcon } from "../../ui/copy.tsx";
import { Empty, Notice, Waiting } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { classes } from "../../util/classes.ts";
import { ExecsTab } from "./execs-tab.tsx";
import { FilesTab } from "./files-tab.tsx";
import { OverviewTab } from "./overview-tab.tsx";
import { SettingsTab } from "./settings-tab.tsx";
import { TerminalTab } from "./terminal-tab.tsx";
import "./box.css";

const tabNames: Readonly<Record<BoxTab, string>> = {
  overview: "Overview",
  execs: "Execs",
  terminal: "Terminal",
  files: "Files",
  history: "History",
  settings: "Settings",
};

export function BoxPage({ id, tab: wanted }: { readonly id: string; readonly tab: string | undefined }) {
  const box = useBox(id);
  if (box === undefined) return <Waiting what="Looking for the box" />;
  if (box === null) {
    return (
      <Empty isPage title="There is no such box">
        <p className="break">{id} is not there, or no longer.</p>
        <Link to="/boxes">To the boxes</Link>
      </Empty>
    );
  }
  const tab = boxTabs.find((name) => name === wanted) ?? "overview";
  return (
    <div className={tab === "terminal" || tab === "files" || tab === "execs" ? "page-fixed" : undefined}>
      <Page title={boxLabel(box)} heading={<Heading box={box} />} actions={<Actions box={box} />}>
        <nav className="tabs" aria-label="Of this box">
          {boxTabs.map((name) => (
            <Link
              key={name}
              to={boxPath(box, name)}
              className={classes("tab", name === tab && "tab-here")}
              aria-current={name === tab ? "page" : undefined}
            >
              {tabNames[name]}
            </Link>
          ))}
        </nav>
        <Trouble box={box} />
        <Content box={box} tab={tab} />
      </Page>
    </div>
  );
}

function Heading({ box }: { readonly box: Box }) {
  return (
    <div className="box-heading">
      <h1 className="clip">{boxLabel(box)}</h1>
      <BoxState box={box} />
      <span className="box-id quiet">
        <code>{box.id}</code>
        <CopyIcon text={box.id} label="Copy id" />
      </span>
    </div>
  );
}

function Actions({ box }: { readonly box: Box }) {
  const command = useCommandBoxes();
  return (
    <>
      {verbAllowed("stop", box) ? (
        <Button icon="stop" onClick={() => command("stop", [box])}>
          Stop
        </Button>
      ) : (
        <Button icon="run" disabled={!verbAllowed("start", box)} onClick={() => command("start", [box])}>
          Start
        </Button>
      )}
      <BoxMenu box={box} />
    </>
  );
}

function Trouble({ box }: { readonly box: Box }) {
  if (box.error_message !== null) {
    return (
      <Notice kind="bad" title={box.error_code ?? "Error"}>
        {box.error_message}
      </Notice>
    );
  }
  if (box.unreachable !== undefined)
    return (
      <Notice kind="warn" title="The box does not answer">
        {box.unreachable}
      </Notice>
    );
  if (box.impaired !== undefined)
    return (
      <Notice kind="warn" title="Not all of it works">
        {box.impaired}
      </Notice>
    );
  return null;
}

function Content({ box, tab }: { readonly box: Box; readonly tab: BoxTab }): ReactNode {
  if (tab === "terminal") return box.status === "running" ? <TerminalTab box={box} /> : <NotRunning box={box} />;
  if (tab === "files") return box.status === "running" ? <FilesTab box={box} /> : <NotRunning box={box} />;
  if (tab === "execs") return <ExecsTab box={box} />;
  if (tab === "history") return <HistoryList boxId={box.id} />;
  if (tab === "settings") return <SettingsTab box={box} />;
  return <OverviewTab box={box} />;
}

/** Instead of what needs a box that runs. */
function NotRunning({ box }: { readonly box: Box }) {
  const command = useCommandBoxes();
  return (
    <Empty title={box.status === "creating" ? "The box is being created" : "The box is not running"}>
      {verbAllowed("start", box) && (
        <Button kind="primary" icon="run" onClick={() => command("start", [box])}>
          Start {boxLabel(box)}
        </Button>
      )}
    </Empty>
  );
}
