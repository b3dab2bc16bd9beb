import { once } from "node:events";
import { lstat, mkdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { BoxRunError } from "@boxrun/contract";

/**
 * Listens on a Unix socket that nobody else can open, not for a moment. What a dead server left there is replaced; RUNTIME_ERROR if
 * a live one answers, or if there is something else.
 */
export async function bindSocket(server: Server, path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await removeStale(path);
    const listening = once(server, "listening");
    // The socket is made inside listen(), with what the umask leaves of 0777: 0600.
    const umask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(umask);
    }
    await listening;
  } catch (error) {
    if (error instanceof BoxRunError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `Cannot listen on the socket ${path}: ${why}. Choose another place with BOXRUN_SOCKET or --socket.`,
      { cause: error },
    );
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw taken(path, "something that is no socket is there already");
  if (await answers(path)) throw taken(path, "another server answers there");
  await unlink(path);
}

function taken(path: string, why: string): BoxRunError {
  return new BoxRunError(
    "RUNTIME_ERROR",
    `Cannot listen on the socket ${path}: ${why}. Stop or remove that first, or choose another place with BOXRUN_SOCKET or --socket.`,
  );
}

/** A socket that refuses has nobody behind it any more. Anything else (a full queue, no permission) is somebody's. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ECONNREFUSED");
  } finally {
    socket.destroy();
  }
}
