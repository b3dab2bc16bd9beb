/** A box's cgroup, for what is started in it. */
export interface BoxCgroup {
  readonly dir: string;
  /** The program that enters it and becomes another (host-helper/enter.go). */
  readonly hostHelper: string;
}

/**
 * What to start for `program` to be in the box's cgroup before it does anything: so whatever it starts is in it, too. To look for those and put them
 * there would miss some: passt lets only root see what it is.
 */
export function startedIn(
  cgroup: BoxCgroup | undefined,
  program: string,
  args: readonly string[],
): { readonly program: string; readonly args: readonly string[] } {
  if (cgroup === undefined) return { program, args };
  return { program: cgroup.hostHelper, args: ["enter", cgroup.dir, program, ...args] };
}
