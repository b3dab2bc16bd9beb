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
  FileEntry,
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
  TerminalSize,
  Volume,
} from "@boxrun/contract";
export { BoxRunError, boxUser } from "@boxrun/contract/plain";
export type { BodySource } from "./body.ts";
export { BoxRunClient, type ClientOptions } from "./client.ts";
export { ClientError, type ClientErrorCode, systemCodeOf } from "./errors.ts";
export type { ExecEvent, ExecEventsOptions, ExecStarted } from "./exec-events.ts";
export type {
  ArchiveOptions,
  Download,
  MakeDirectoryOptions,
  RenameOptions,
  StatOptions,
  UploadOptions,
} from "./files.ts";
export type { CallOptions } from "./http.ts";
export type { PullEvent } from "./images.ts";
export { logBytes } from "./output.ts";
export type { PortConnection } from "./ports/connection.ts";
export type { AttachOptions } from "./terminal/attach.ts";
export type { Terminal } from "./terminal/terminal.ts";
export type { Fetch } from "./transport.ts";
