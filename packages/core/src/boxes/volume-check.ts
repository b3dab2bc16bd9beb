import { stat } from "node:fs/promises";
import { BoxRunError, type Volume } from "@boxrun/contract";

/** VALIDATION_ERROR for a volume whose host path is no directory, or two at one place of the box. */
export async function checkVolumes(volumes: readonly Volume[]): Promise<void> {
  const guestPaths = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const info = await stat(volume.host_path).catch((error: unknown) => {
      throw invalid(`volumes.${index}.host_path`, `${volume.host_path} does not exist or cannot be read`, error);
    });
    if (!info.isDirectory()) throw invalid(`volumes.${index}.host_path`, `${volume.host_path} is not a directory`);
    const guestPath = volume.guest_path.replace(/\/+$/, "");
    if (guestPath === "") throw invalid(`volumes.${index}.guest_path`, "/ cannot be a volume");
    if (guestPath.split("/").includes("..")) throw invalid(`volumes.${index}.guest_path`, "must not contain '..'");
    if (guestPaths.has(guestPath)) throw invalid(`volumes.${index}.guest_path`, `${guestPath} is given twice`);
    guestPaths.add(guestPath);
  }
}

function invalid(field: string, why: string, cause?: unknown): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", `${field}: ${why}`, { cause, details: { field } });
}
