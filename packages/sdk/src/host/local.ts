import type { BodySource } from "../body.ts";
import type { CallOptions } from "../http.ts";
import type { Address } from "./address.ts";

/** What this side of a transfer is on this platform (`#local` in package.json): a file system, or none. */
export interface Local {
  /** A file's content, or a directory's as a tar. */
  readonly openSource: (path: string) => Promise<LocalSource>;
  /** Content goes beside `path` and takes its place once all of it is there. */
  readonly writeFile: (path: string, content: AsyncIterable<Uint8Array>) => Promise<void>;
  /** Unpacks a tar below the directory `path`, made if missing. The tar is a stranger's: nothing outside of it is touched. */
  readonly unpack: (path: string, tar: AsyncIterable<Uint8Array>) => Promise<void>;
  /** SERVER_START_FAILED. */
  readonly startServer: (options: StartServerOptions) => Promise<Address>;
}

export interface LocalSource {
  readonly isDirectory: boolean;
  readonly content: BodySource;
}

export interface StartServerOptions extends CallOptions {
  /** The `boxrun` command and what comes before its verb. Default: `["boxrun"]`, looked for in PATH. */
  readonly command?: readonly [string, ...string[]] | undefined;
}
