import { spawn } from "node:child_process";
import { once } from "node:events";

/** What shows an address, or a file, in the user's browser; `undefined` where there is no screen for one. */
function opener(env: NodeJS.ProcessEnv): string | undefined {
  if (process.platform === "darwin") return "open";
  return env.DISPLAY || env.WAYLAND_DISPLAY ? "xdg-open" : undefined;
}

/** Shows it in the user's browser, which goes on without us; `false` if there is nothing to show it with. What is shown is seen by every user of the host. */
export async function openBrowser(what: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const command = opener(env);
  if (command === undefined) return false;
  const child = spawn(command, [what], { detached: true, stdio: "ignore" });
  try {
    await once(child, "spawn");
  } catch {
    return false;
  }
  child.unref();
  return true;
}
