export type {
  Box,
  BoxStats,
  BoxStatus,
  CreateBoxInput,
  Environment,
  ErrorCode,
  Exec,
  ExecInput,
  ExecStatus,
  FileChange,
  FileEntry,
  Finding,
  Health,
  Image,
  Info,
  ListeningPort,
  LogEvent,
  Orphan,
  PullProgress,
  RunInput,
  RunResponse,
  ServerEvent,
  Session,
  SignalName,
  SignedIn,
  SignInLink,
  StatsHistory,
  StatsOverview,
  StatsOverviewEvent,
  StatsStep,
  TerminalSize,
  Volume,
} from "@boxrun/contract";
export { BoxRunError, boxUser } from "@boxrun/contract/plain";
export type { BodySource } from "./body.ts";
export { type BoxAttachOptions, BoxHandle } from "./box/box-handle.ts";
export type { CreateBoxOptions } from "./box/create-options.ts";
export type { ExecOptions, ExecStreamOptions } from "./box/exec.ts";
export type { ExecStream } from "./box/exec-stream.ts";
export type { BoxFiles, ReadOptions, WriteOptions } from "./box/files.ts";
export type { ExecEnd, ExecResult, ExecStreamEvent } from "./box/output.ts";
export type { RunOptions, RunResult } from "./box/run.ts";
export { BoxRunClient, type ClientOptions } from "./client.ts";
export { ClientError, type ClientErrorCode, CommandFailed, systemCodeOf } from "./errors.ts";
export type { ExecEvent, ExecEventsOptions, ExecStarted } from "./exec-events.ts";
export type { WatchOptions } from "./file-changes.ts";
export type {
  ArchiveOptions,
  Download,
  MakeDirectoryOptions,
  RenameOptions,
  StatOptions,
  UploadOptions,
} from "./files.ts";
export type { StartServerOptions } from "./host/local.ts";
export type { CallOptions } from "./http.ts";
export type { PullEvent } from "./images.ts";
export { logBytes } from "./output.ts";
export type { PortConnection } from "./ports/connection.ts";
export type { RepeatableOptions } from "./repeat.ts";
export type { AttachOptions } from "./terminal/attach.ts";
export type { Terminal } from "./terminal/terminal.ts";
export type { Fetch } from "./transport.ts";
