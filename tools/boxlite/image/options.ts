/** How a part of the outer VM is built. */
export interface BuildOptions {
  /** What is built lies below, in `outer-vm`. */
  readonly cacheDir: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}
