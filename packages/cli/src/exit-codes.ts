/** The exit codes of `boxrun`. `exec` and `run` pass on the program's own, so that BoxRun's lie where programs rarely do. */
export const exitCodes = {
  usage: 2,
  /** BoxRun's own failure, as in docker and chroot. */
  failure: 125,
  /** Whoever read our output is gone: what a program killed by SIGPIPE ends with. */
  brokenPipe: 141,
} as const;
