/**
 * Writer of the "newc" cpio format, which is what the kernel unpacks as its initramfs.
 *
 *  "070701" | ino | mode | uid | gid | nlink | mtime | filesize | devmajor | devminor | rdevmajor | rdevminor | namesize | check
 *   6 chars   each of these 13 fields as 8 hexadecimal digits; then the name with a NUL, padded to 4 bytes, and the content, padded to 4.
 *
 * Times and owners are 0, so that the same content gives the same bytes.
 */
export interface CpioEntry {
  /** Relative, without a leading slash. */
  readonly name: string;
  /** Type and permission bits, as in `stat.st_mode`. */
  readonly mode: number;
  readonly content?: Buffer;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

export const directoryMode = 0o040755;
export const executableMode = 0o100755;
export const fileMode = 0o100644;
export const characterDeviceMode = 0o020600;

const trailer: CpioEntry = { name: "TRAILER!!!", mode: 0 };

export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([...entries, trailer].flatMap((entry, index) => encode(entry, index + 1)));
}

function encode(entry: CpioEntry, inode: number): Buffer[] {
  const content = entry.content ?? Buffer.alloc(0);
  const name = Buffer.from(`${entry.name}\0`);
  const [major, minor] = entry.device ?? [0, 0];
  const fields = [inode, entry.mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
