/** The parts of a path below the image's root, none of them empty, `.` or `..`. The root itself has none. */
export type Path = readonly string[];

/** Limits of Linux; squashfs and the guest have the same. Bytes. */
export const maxPathBytes = 4096;
const maxNameBytes = 255;

/** Cleans a path as it stands in a layer; `what` names it in errors. Throws an Error if it climbs above the root. */
export function splitPath(path: string, what: string): Path {
  if (path.length > maxPathBytes) throw new Error(`${what} is longer than ${maxPathBytes} bytes`);
  if (path.includes("\0")) throw new Error(`${what} contains NUL`);
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === undefined) throw new Error(`${what} leads out of the image's root`);
      continue;
    }
    if (part.length > maxNameBytes) throw new Error(`${what} has a part of more than ${maxNameBytes} bytes`);
    parts.push(part);
  }
  return parts;
}
