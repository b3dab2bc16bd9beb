export const boxStatuses = ["creating", "running", "stopped", "error"] as const;

export const execStatuses = ["running", "succeeded", "failed", "timeout", "canceled"] as const;

/** Linux signals that a caller may send, by name. */
export const signalNames = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGKILL",
  "SIGUSR1",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGWINCH",
] as const;
export type SignalName = (typeof signalNames)[number];

/** The `owner` of an upload that stands for the user that the box's commands run as. */
export const boxUser = "@box";
