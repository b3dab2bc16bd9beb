import type { Exec } from "boxrun-sdk";
import { useEffect, useState } from "react";
import { failureOf } from "../../api/failure.ts";
import { Button } from "../../ui/button.tsx";
import { Notice } from "../../ui/notice.tsx";
import { toast } from "../../ui/toasts.tsx";
import { LineStore } from "../../util/line-store.ts";
import { downloadOutput } from "./download.ts";
import { followOutput } from "./follow.ts";
import { OutputView } from "./output-view.tsx";

/** What an exec writes, from its beginning, live. Mount it anew (`key`) for another exec. */
export function ExecOutput({ exec }: { readonly exec: Exec }) {
  const [lines] = useState(() => new LineStore());
  const [failure, setFailure] = useState<string>();
  const { id, box_id } = exec;
  useEffect(() => {
    const leave = new AbortController();
    followOutput({ id, box_id }, lines, leave.signal).catch((error: unknown) => {
      if (!leave.signal.aborted) setFailure(failureOf(error).message);
    });
    return () => leave.abort();
  }, [id, box_id, lines]);
  return (
    <>
      {failure !== undefined && (
        <Notice kind="bad" title="The output broke off">
          {failure}
        </Notice>
      )}
      <OutputView
        lines={lines}
        isLive={exec.status === "running"}
        actions={
          <Button
            icon="download"
            onClick={() => {
              downloadOutput(exec).catch((error: unknown) => toast("failed", failureOf(error).message));
            }}
          >
            Download
          </Button>
        }
      />
    </>
  );
}
