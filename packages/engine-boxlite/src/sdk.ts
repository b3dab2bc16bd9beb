import type { Boxlite } from "@boxlite-ai/boxlite";
import { BoxRunError } from "@boxrun/contract";

/** What this adapter uses of BoxLite's native SDK, under its own names. Quirks of 0.10.0 that shaped it are in docs/boxlite.md. */
export type Runtime = Boxlite;
export type BoxHandle = Awaited<ReturnType<Boxlite["create"]>>;
export type BoxOptions = Parameters<Boxlite["create"]>[0];

/**
 * Runtimes by home directory. The native one keeps its home locked until the process ends, also after `close()` (seen in 0.10.0), and
 * refuses a second one: an engine that is made anew over the same state gets the same runtime.
 */
const runtimes = new Map<string, Runtime>();

/** The runtime of a home directory, made when first asked for. RUNTIME_ERROR if this platform has no native module, or the home is another process's. */
export async function openRuntime(homeDir: string): Promise<Runtime> {
  const known = runtimes.get(homeDir);
  if (known !== undefined) return known;
  const { JsBoxlite } = await loadSdk();
  // Somebody else may have made it while the module was loaded.
  const made = runtimes.get(homeDir) ?? open(JsBoxlite, homeDir);
  runtimes.set(homeDir, made);
  return made;
}

/** Rejects, saying what to do, where the optional native module is missing. */
export async function loadSdk() {
  try {
    return await import("@boxlite-ai/boxlite");
  } catch (error) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `load BoxLite: its native module is not installed for ${process.platform} ${process.arch} (${reasonOf(error)}); ` +
        "where the platform has one, `npm install` without --omit=optional brings it",
      { cause: error },
    );
  }
}

function open(JsBoxlite: new (options: { homeDir: string }) => Runtime, homeDir: string): Runtime {
  try {
    return new JsBoxlite({ homeDir });
  } catch (error) {
    throw new BoxRunError("RUNTIME_ERROR", `open BoxLite's home directory ${homeDir}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** The first line of what BoxLite said, without the kind of error that it puts before. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n", 1)[0] ?? "").slice(0, 500);
}

/** For a person. */
export function inWords(error: unknown): Error {
  return error instanceof BoxRunError ? error : new Error(reasonOf(error), { cause: error });
}
