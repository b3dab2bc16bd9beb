import type { FileOwner } from "@boxrun/core";
import { ownerInBox } from "./box.ts";
import type { FileNode, Owner } from "./file-system.ts";

/** Whose becomes what is written. */
export class Ownership {
  /** Of the directories that are made on the way. */
  readonly parents: Owner | undefined;
  readonly #keepsOld: boolean;

  constructor(owner: FileOwner | undefined) {
    this.parents = owner && ownerInBox(owner.user);
    this.#keepsOld = owner?.of === "new";
  }

  /** `given` applies where nobody was named; `old` is what is replaced. */
  of(given: Owner, old: FileNode | undefined): Owner {
    if (this.parents === undefined) return given;
    return this.#keepsOld && old !== undefined ? { uid: old.uid, gid: old.gid } : this.parents;
  }
}
