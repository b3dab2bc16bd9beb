import { createHash } from "node:crypto";
import { chmod, link, lstat, lutimes, mkdir, open, readdir, readFile, readlink, symlink } from "node:fs/promises";
import { Chance } from "@boxrun/engine-testkit/chance";
import { toBuffer } from "../../src/copy/bytes.ts";

/** Chance that also makes up names of files. */
export class Dice extends Chance {
  /** A file's name, as bytes: any but `/` and NUL. */
  name(): string {
    const length = this.below(12) === 0 ? 200 + this.below(56) : 1 + this.below(9);
    const bytes = Array.from({ length }, () => {
      const byte = 1 + this.below(255);
      return byte === 0x2f ? 0x2e : byte;
    });
    const name = Buffer.from(bytes).toString("latin1");
    return name === "." || name === ".." ? "dots" : name;
  }
}

/** Grows a tree of whatever a file system allows, at a path of bytes that is a directory already. */
export async function growTree(dice: Dice, root: string): Promise<void> {
  const files: string[] = [];
  const directories: string[] = [];
  const grow = async (folder: string, depth: number): Promise<void> => {
    for (let count = dice.below(7); count > 0; count--) {
      const path = `${folder}/${dice.name()}`;
      if (await lstat(toBuffer(path)).catch(() => undefined)) continue;
      const kind = dice.below(10);
      if (kind < 3 && depth < 3) {
        await mkdir(toBuffer(path));
        await grow(path, depth + 1);
        directories.push(path);
      } else if (kind === 3) {
        await symlink(
          toBuffer(
            Array.from({ length: 1 + dice.below(30) }, () => dice.name())
              .join("/")
              .slice(0, 2000),
          ),
          toBuffer(path),
        );
        await setTime(dice, path);
      } else if (kind === 4 && files.length > 0) {
        await link(toBuffer(dice.pick([files[0] ?? "", ...files])), toBuffer(path));
      } else {
        await growFile(dice, path);
        files.push(path);
      }
    }
  };
  await grow(root, 0);
  for (const path of directories) {
    await chmod(toBuffer(path), 0o700 | dice.below(0o1000));
    await setTime(dice, path);
  }
}

async function growFile(dice: Dice, path: string): Promise<void> {
  await using file = await open(toBuffer(path), "wx");
  const size = dice.pick([
    0,
    1,
    511,
    512,
    513,
    65_535,
    65_536,
    65_537,
    dice.below(150_000),
    400_000 + dice.below(900_000),
  ]);
  await file.truncate(size);
  for (let count = dice.below(3); count > 0 && size > 0; count--) {
    const at = dice.below(size);
    await file.write(Buffer.alloc(Math.min(size - at, dice.below(70_000)), dice.name(), "latin1"), 0, null, at);
  }
  await file.chmod(dice.below(0o1000));
  await setTime(dice, path);
}

/** Before 1970 and after 2106 too. */
async function setTime(dice: Dice, path: string): Promise<void> {
  const time = dice.pick([
    new Date(-1),
    new Date(-1_500),
    0,
    dice.below(2 ** 32),
    2 ** 33,
    dice.below(2 ** 31) + dice.below(1e6) / 1e6,
  ]);
  await lutimes(toBuffer(path), time, time);
}

export interface SnapshotOptions {
  /** Of files' modes. */
  readonly modeMask: number;
  readonly owners: boolean;
}

/** All that is to be kept of everything below a directory, by its name in it. */
export async function snapshot(root: string, options: SnapshotOptions): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const firstNames = new Map<bigint, string>();
  const look = async (folder: string): Promise<void> => {
    const names = await readdir(toBuffer(`${root}/${folder}`), { encoding: "buffer" });
    for (const bytes of names.sort(Buffer.compare)) {
      const name = `${folder}${bytes.toString("latin1")}`;
      const path = toBuffer(`${root}/${name}`);
      const stat = await lstat(path, { bigint: true });
      const isLink = stat.isSymbolicLink();
      const mode = isLink ? 0 : Number(stat.mode) & options.modeMask;
      const owner = options.owners ? ` owner ${stat.uid}:${stat.gid}` : "";
      let what = `mode ${mode.toString(8)} time ${stat.mtimeNs}${owner}`;
      if (isLink) what += ` to ${await readlink(path, "latin1")}`;
      if (stat.isFile()) {
        const first = firstNames.get(stat.ino) ?? name;
        firstNames.set(stat.ino, first);
        what += ` as ${first} size ${stat.size} ${createHash("sha1")
          .update(await readFile(path))
          .digest("hex")}`;
      }
      found.set(name, `${stat.isDirectory() ? "directory" : isLink ? "symlink" : "other"} ${what}`);
      if (stat.isDirectory()) await look(`${name}/`);
    }
  };
  await look("");
  return found;
}
