import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Box, CreateBoxInput } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { spin } from "./output/spinner.ts";
import type { Session } from "./session.ts";

/** A name of ours is known before the box is, so that the box can be removed at any moment. */
export function inventedName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}

/** Whatever has the name from here on is ours to remove. NAME_ALREADY_EXISTS. */
export async function requireFree(client: Session["client"], name: string): Promise<void> {
  const box = await client.boxes.get(name).catch((error: unknown) => {
    if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return undefined;
    throw error;
  });
  if (box !== undefined)
    throw new BoxRunError("NAME_ALREADY_EXISTS", `There is a box named ${name} already: ${box.id}`);
}

/** The running box, for who removes it in the end. Interrupted, or failed, it leaves none. */
export async function createTemporaryBox(
  session: Session,
  input: CreateBoxInput & { readonly name: string },
): Promise<Box> {
  const { image, name } = input;
  const { client, reporter, signal } = session;
  signal.throwIfAborted();
  using _ = spin(`Creating a box of ${image}…`, reporter);
  // Not given up with the signal: the server would go on, and we would not know when it is done.
  const creating = client.boxes.create(input);
  const ended = creating.then(
    () => true,
    () => true,
  );
  const interrupted = new Promise<false>((resolve) => signal.addEventListener("abort", () => resolve(false)));
  if (!(await Promise.race([ended, interrupted]))) {
    // The request may not have reached the server yet.
    while (!(await Promise.race([ended, removeIfThere(client, name).then((removed) => removed || delay(50, false))])));
  }
  try {
    const box = await creating;
    if (signal.aborted) await removeIfThere(client, box.id);
    signal.throwIfAborted();
    return box;
  } catch (error) {
    signal.throwIfAborted();
    // A box whose creation failed stays for people to look at, but nobody will look at this one.
    if (!(error instanceof BoxRunError && error.code === "NAME_ALREADY_EXISTS")) await removeIfThere(client, name);
    throw error;
  }
}

/** Whether there was one. */
export async function removeIfThere(client: Session["client"], box: string): Promise<boolean> {
  try {
    await client.boxes.remove(box, { force: true });
    return true;
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return false;
    throw error;
  }
}
