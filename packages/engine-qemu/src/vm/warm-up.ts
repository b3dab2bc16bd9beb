import { defaultWorkdir } from "@boxrun/contract";
import { type AgentLine, Forgetting, startExec } from "@boxrun/guest-agent";

/** Most boxes run one of these first. Which the image does not have does not matter. */
const programs = [["echo"], ["sh", "-c", "true"]] as const;
/** The first time is not like the others: the agent's own memory, for one, is as large as it will be only behind it. */
const rounds = 3;

/**
 * Runs in a VM that is nobody's yet what a box most likely runs first: what that takes of the image is then in memory, and neither read nor unpacked again, and the guest's own way to a
 * program is one that it has gone before.
 */
export async function warmUp(line: AgentLine, boxId: string, signal: AbortSignal): Promise<void> {
  const host = { boxId, line, gone: signal, forgetting: new Forgetting(line) };
  const rest = { env: {}, user: null, stdin: false, tty: null, timeoutMs: 10_000 };
  const forgotten: Promise<void>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Which the image need not have.
    const workdir = round === 0 ? "/" : defaultWorkdir;
    for (const cmd of programs) {
      const exec = await startExec(host, { id: `warm-${cmd[0]}-${round}`, cmd: [...cmd], workdir, ...rest });
      for await (const { stream, offset, data } of exec.output) {
        exec.acknowledge({ stdout: 0, stderr: 0, [stream]: offset + data.length });
      }
      await exec.exit;
      forgotten.push(exec.forget());
    }
  }
  await Promise.all(forgotten);
}
