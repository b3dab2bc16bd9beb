import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Box } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { followExec } from "../follow-exec.ts";
import {
  addBoxOptions,
  addProgramOptions,
  type BoxOptions,
  boxInput,
  execInput,
  type ProgramOptions,
} from "../options.ts";
import { spin } from "../output/spinner.ts";
import { type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

type Options = BoxOptions & ProgramOptions;

export function define(command: Verb): void {
  addProgramOptions(
    addBoxOptions(
      command
        .programFollows()
        .argument("<image>", "an image: `base`, a short name like `python`, or a reference")
        .argument("<program...>", "the program and its arguments; no shell in between"),
    ),
  )
    .addHelpText(
      "after",
      `
Makes a box, runs the program in it as \`boxrun exec\` would, and removes the box, also after Ctrl-C. Only a boxrun that
is killed by force leaves its box, named run-…, behind for \`boxrun rm -f\`.

Examples:
  $ boxrun run base -- uname -a
  $ boxrun run python -- python -c 'print(6 * 7)'
  $ boxrun run --network -m 2048 node -- npx --yes cowsay hello
  $ tar c . | boxrun run -i base -- sh -c 'tar x && ls'
`,
    )
    .action((image: string, program: string[], options: Options) =>
      withServer(command, `run ${image}`, async (session) => {
        // A name of ours is known before the box is, so that it can be removed at any moment.
        const name = options.name ?? `run-${randomBytes(6).toString("hex")}`;
        if (options.name !== undefined) await requireFree(session.client, options.name);
        process.exitCode = await run(session, { image, name, program, options });
      }),
    );
}

interface Run {
  readonly image: string;
  readonly name: string;
  readonly program: string[];
  readonly options: Options;
}

async function run(session: Session, { image, name, program, options }: Run): Promise<number> {
  const { client } = session;
  const box = await createBox(session, image, name, options);
  try {
    const exec = await client.execs.start(box.id, execInput(program, options));
    return await followExec(session, exec, { what: `run ${image}`, interactive: options.interactive ?? false });
  } finally {
    await removeIfThere(client, box.id);
  }
}

/** Whatever has the name from here on is ours to remove. NAME_ALREADY_EXISTS. */
async function requireFree(client: Session["client"], name: string): Promise<void> {
  const box = await client.boxes.get(name).catch((error: unknown) => {
    if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return undefined;
    throw error;
  });
  if (box !== undefined)
    throw new BoxRunError("NAME_ALREADY_EXISTS", `There is a box named ${name} already: ${box.id}`);
}

/** The running box. Interrupted, or failed, it leaves none. */
async function createBox(session: Session, image: string, name: string, options: Options): Promise<Box> {
  const { client, reporter, signal } = session;
  signal.throwIfAborted();
  using _ = spin(`Creating a box of ${image}…`, reporter);
  // Not given up with the signal: the server would go on, and we would not know when it is done.
  const creating = client.boxes.create({ image, ...boxInput(options), name });
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
async function removeIfThere(client: Session["client"], box: string): Promise<boolean> {
  try {
    await client.boxes.remove(box, { force: true });
    return true;
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return false;
    throw error;
  }
}
