import type { AttachRequest } from "@boxrun/contract";
import { terminalEnvironment } from "../execs/terminal-environment.ts";
import type { ExecSpec } from "../ports/engine.ts";
import type { BoxRecord } from "../ports/store.ts";

/** bash where the image has it. Not a login shell: /etc/profile would undo the image's PATH. */
const defaultShell = "SHELL=/bin/sh; test -x /bin/bash && SHELL=/bin/bash; export SHELL; exec $SHELL";

/** The exec behind an attached terminal: the environment of the box, and what a login would have set. */
export function shellSpec(id: string, box: BoxRecord, request: AttachRequest): ExecSpec {
  const user = box.imageConfig?.user ?? null;
  return {
    id,
    cmd: request.shell === undefined ? ["/bin/sh", "-c", defaultShell] : [request.shell],
    env: terminalEnvironment({
      ...(request.shell === undefined ? {} : { SHELL: request.shell }),
      ...userNames(user),
      ...box.imageConfig?.env,
      ...box.env,
      TERM: request.term,
    }),
    workdir: box.workdir,
    user,
    stdin: true,
    tty: { cols: request.cols, rows: request.rows },
    timeoutMs: null,
  };
}

/** Where the name is known without a look into the box: `name`, `name:group`, or root. */
function userNames(user: string | null): Record<string, string> {
  const name = user === null ? "root" : (user.split(":")[0] ?? "");
  return /^\d*$/.test(name) ? {} : { USER: name, LOGNAME: name };
}
