import type { Readable } from "node:stream";
import type { Environment, PullProgress } from "@boxrun/contract";

/** The image content port: OCI images on this host's disk, by digest. Which reference means which digest is the core's to know. */
export interface ImageContent {
  /** The image that ships with BoxRun. RUNTIME_ERROR with what to run if it was not built yet. */
  builtin(): Promise<StoredImage>;

  /** VALIDATION_ERROR for what can't be an image's reference. */
  requireReference(reference: string): void;

  /**
   * Fetches an image from its registry. IMAGE_PULL_FAILED with the registry's own reason; TIMEOUT when it makes no progress for
   * too long. Leaves nothing behind on failure or abort but layers that other images have too.
   */
  pull(reference: string, options: PullOptions): Promise<StoredImage>;

  /** Reads an OCI layout tar or a docker-archive. VALIDATION_ERROR for anything else. One entry per image in it. */
  importArchive(tar: Readable, options: { readonly signal: AbortSignal }): Promise<readonly ImportedImage[]>;

  /**
   * Makes an image of one layer, the tar: what `from`, an image that is stored, says of users and commands holds for it too. Leaves nothing behind on failure
   * or abort. RUNTIME_ERROR.
   */
  make(tar: AsyncIterable<unknown>, options: MakeImageOptions): Promise<StoredImage>;

  /**
   * What an image that is stored runs by itself: Entrypoint and Cmd. `undefined` if it has neither. Read from the image each time, so that
   * those count that were stored before anybody asked. RUNTIME_ERROR.
   */
  ownCommand(digest: string): Promise<readonly string[] | undefined>;

  /** What an image that is stored says of itself. RUNTIME_ERROR. */
  describe(digest: string): Promise<ImageDescription>;

  /** The programs in the PATH of an image that `builtin` gave, sorted. RUNTIME_ERROR. */
  programs(digest: string): Promise<readonly string[]>;

  /** The OCI layout directory of an image that is stored. */
  layoutDir(digest: string): string;

  /** Removes an image and the layers that no other of `keep` has. Idempotent. */
  remove(digest: string, options: { readonly keep: readonly string[] }): Promise<void>;
}

export interface PullOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
}

export interface MakeImageOptions {
  /** The digest of the image that the tar was once. */
  readonly from: string;
  /** Variables that are added to that image's. */
  readonly env: Environment;
  readonly workdir: string;
  readonly createdAtMs: number;
  readonly signal: AbortSignal;
}

export interface StoredImage {
  readonly digest: string;
  /** Bytes of the layers as stored. */
  readonly sizeBytes: number;
  readonly config: ImageConfig;
}

export interface ImageDescription {
  /** `linux/amd64`; "unknown" if the image says nothing of it. */
  readonly platform: string;
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
}

export interface ImportedImage extends StoredImage {
  /** The names that the archive gives it. */
  readonly references: readonly string[];
}

/** The parts of an OCI image config that are defaults for a box. What it runs is asked for when it is run: `ownCommand`. */
export interface ImageConfig {
  readonly env: Environment;
  readonly user: string | null;
  readonly workdir: string | null;
}
