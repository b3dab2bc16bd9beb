export { downloadPackages } from "./apt.ts";
export { hostBootId } from "./boot-id.ts";
export { makeBoxDir } from "./box-dir.ts";
export { keepNote, readNote } from "./box-note.ts";
export { countBuffersWithHeap } from "./buffers.ts";
export { defaultCacheDir } from "./cache-dir.ts";
export { commandLine } from "./command-line.ts";
export {
  type Distribution,
  installationOf,
  packageOf,
  readDistribution,
  thisDistribution,
} from "./distribution.ts";
export { checkChoice, checkConfinement, checkEngine } from "./doctor/engine.ts";
export { type Examination, examineHost } from "./doctor/examine.ts";
export { checkOrphans, fail, ok, reason, warn } from "./doctor/finding.ts";
export { checkNode } from "./doctor/host.ts";
export { isErrno } from "./errno.ts";
export {
  type GuestPackage,
  guestPackageAt,
  installedGuest,
  isKnownHost,
  locatePart,
  noBoxesOn,
} from "./guest-package.ts";
export { hasHostService, hostService } from "./host-service.ts";
export { usageOf } from "./process-usage.ts";
export {
  boxDirVariable,
  findBoxProcesses,
  findProcessesByCommand,
  isAlive,
  isStopped,
  killAll,
  type ProcessRef,
  processRef,
  processRefSchema,
  signalProcess,
  waitUntilGone,
} from "./processes.ts";
export { type ProgramName, programNames, programOf } from "./programs.ts";
export { type RunOptions, run } from "./run.ts";
export { keepTail } from "./tail.ts";
export { locateTool, missingTool, requireTool, type ToolName } from "./tools.ts";
export { type HostVerdict, keptFinding, keptVerdict } from "./verdict.ts";
export { isZstd, unzstd } from "./zstd.ts";
