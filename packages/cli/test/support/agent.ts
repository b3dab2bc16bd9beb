import { spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { AgentFiles, AgentLine, locateAgent, socketAddress } from "@boxrun/guest-agent";

export interface RealAgent extends AsyncDisposable {
  readonly files: AgentFiles;
}

/** The agent that boxes get, as a process of this host that works below `root`; a socket is made beside it. */
export async function startAgent(root: string): Promise<RealAgent> {
  const { file } = locateAgent(process.env.BOXRUN_CACHE_DIR ?? join(homedir(), ".cache/boxrun"));
  const socket = `${root}.sock`;
  const agent = spawn(file, ["--listen", `unix:${socket}`, "--root", root], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(agent, "close");
  const line = new AgentLine(socketAddress(socket));
  return {
    files: new AgentFiles(line, "the agent's box"),
    async [Symbol.asyncDispose]() {
      line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
      agent.kill();
      await ended;
    },
  };
}
