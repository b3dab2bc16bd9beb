import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * Where the server is root, each box's QEMU is a user of its own, whom nobody else is: a number far above those that Debian, systemd and
 * container tools give out, from the box's directory. Two boxes of one number are as likely as two names with the same hash of 24 bits.
 */
const firstUser = 0x7000_0000;
/** `nobody`, where this server itself runs in a user namespace that has no such numbers. */
const fallbackUser = 65_534;

/** The user that a box's processes become; `undefined` where the server is not root and so they stay its own. */
export function boxUser(boxDir: string): number | undefined {
  return process.getuid?.() === 0 ? userOfBox(boxDir) : undefined;
}

function userOfBox(boxDir: string): number {
  const user = firstUser + createHash("sha256").update(boxDir).digest().readUIntBE(0, 3);
  return isMapped(user, "uid") && isMapped(user, "gid") ? user : fallbackUser;
}

/** All users, or groups, that there are for this process, each as itself: the content of a new user namespace's `uid_map` or `gid_map`. */
export function everybody(kind: "uid" | "gid"): string {
  return ranges(kind)
    .map(({ first, count }) => `${first} ${first} ${count}\n`)
    .join("");
}

function isMapped(id: number, kind: "uid" | "gid"): boolean {
  return ranges(kind).some(({ first, count }) => id >= first && id < first + count);
}

/** Lines: first number here, first number outside, how many. */
function ranges(kind: "uid" | "gid"): readonly { readonly first: number; readonly count: number }[] {
  return readFileSync(`/proc/self/${kind}_map`, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [first = Number.NaN, , count = Number.NaN] = line.trim().split(/\s+/).map(Number);
      return { first, count };
    });
}
