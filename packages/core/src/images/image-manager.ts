import type { Readable } from "node:stream";
import {
  BoxRunError,
  baseImageReference,
  type CommitRequest,
  type Image,
  type ImageDetails,
  type PullPolicy,
  type PullProgress,
  resolveImageAlias,
} from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { ImageContent, StoredImage } from "../ports/images.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, ImageRecord, Store } from "../ports/store.ts";
import { type RetryTimes, whileBusy } from "../retry.ts";
import { SharedTasks } from "../shared-tasks.ts";
import { imageView } from "../views.ts";
import { Claims } from "./claims.ts";

interface Parts {
  readonly store: Store;
  readonly content: ImageContent;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
  /** Before an image is destroyed that no box has: what was prepared of it goes. */
  readonly onForget: (digest: string) => Promise<void>;
}

interface PullRequest {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
}

/** Which reference means which image; what is here, what has to be pulled, and what may go. */
export class ImageManager {
  readonly #parts: Parts;
  readonly #pulls = new SharedTasks<ImageRecord, PullProgress>();
  readonly #claims: Claims;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#claims = new Claims((error) => parts.logger.warn({ err: error }, "an image that nothing names was left"));
  }

  /** Gives `take` the image of a reference or alias, pulled if it is not here. Until that has named it, nobody removes its content. */
  use<T>(reference: string, request: PullRequest, take: (image: ImageRecord) => T): Promise<T> {
    return this.#claims.hold(async () => take(await this.ensure(reference, "missing", request)));
  }

  /** Gives `work` the image of a reference or alias, whose content nobody removes until it has ended. IMAGE_NOT_FOUND if it is not here. */
  whileHere<T>(reference: string, work: (image: ImageRecord) => Promise<T>): Promise<T> {
    return this.#claims.hold(async () => await work(await this.#here(reference)));
  }

  /** The image of a reference or alias, pulled if it is not here. Ten callers at once pull it once. */
  async ensure(reference: string, policy: PullPolicy, request: PullRequest): Promise<ImageRecord> {
    const resolved = resolveImageAlias(reference);
    if (resolved === baseImageReference) return this.#builtin();
    const known = this.#parts.store.images.get(resolved);
    if (known !== undefined && policy !== "always") return known;
    if (policy === "never") throw notHere(resolved);
    return this.#pull(resolved, request);
  }

  /** VALIDATION_ERROR for what is neither the reference of an image that is here nor could be one of a registry's. */
  requireReference(reference: string): void {
    const resolved = resolveImageAlias(reference);
    if (resolved === baseImageReference || this.#parts.store.images.get(resolved) !== undefined) return;
    this.#parts.content.requireReference(resolved);
  }

  async list(): Promise<Image[]> {
    await this.#builtin().catch((error: unknown) => {
      if (!(error instanceof BoxRunError)) throw error;
    });
    return this.#parts.store.images.list().map((record) => imageView(record, record.reference === baseImageReference));
  }

  /** What an image that is here is. IMAGE_NOT_FOUND. */
  async get(reference: string): Promise<ImageDetails> {
    return await this.#claims.hold(async () => {
      const record = await this.#here(reference);
      const builtin = record.reference === baseImageReference;
      const { platform, entrypoint, cmd } = await this.#parts.content.describe(record.digest);
      return {
        ...imageView(record, builtin),
        platform,
        config: { ...record.config, entrypoint: copied(entrypoint), cmd: copied(cmd) },
        ...(builtin ? { programs: [...(await this.#parts.content.programs(record.digest))] } : {}),
      };
    });
  }

  async pull(reference: string, request: PullRequest): Promise<Image> {
    const record = await this.#claims.hold(() => this.ensure(reference, "always", request));
    return imageView(record, record.reference === baseImageReference);
  }

  async import(
    tar: Readable,
    options: { readonly reference?: string | undefined; readonly signal: AbortSignal },
  ): Promise<Image[]> {
    if (options.reference === baseImageReference) throw reserved();
    return await this.#claims.hold(() => this.#import(tar, options));
  }

  async #import(
    tar: Readable,
    options: { readonly reference?: string | undefined; readonly signal: AbortSignal },
  ): Promise<Image[]> {
    const imported = await this.#parts.content.importArchive(tar, { signal: options.signal });
    const images: Image[] = [];
    for (const image of imported) {
      const given = imported.length === 1 && options.reference !== undefined ? [options.reference] : image.references;
      const references = given.filter((reference) => reference !== baseImageReference);
      if (references.length === 0) references.push(image.digest);
      for (const reference of references) images.push(imageView(await this.#record(reference, image), false));
    }
    return images;
  }

  /**
   * An image under a new name, as `make` makes it. VALIDATION_ERROR for what can't be a name; NAME_ALREADY_EXISTS if an image has it, unless it may be
   * replaced.
   */
  async make(
    { reference, replace }: CommitRequest,
    make: (content: ImageContent) => Promise<StoredImage>,
  ): Promise<Image> {
    this.#requireNewName(reference, replace);
    return await this.#claims.hold(async () => {
      const image = await make(this.#parts.content);
      try {
        // Somebody may have been faster.
        this.#requireNewName(reference, replace);
        return imageView(await this.#record(reference, image), false);
      } catch (error) {
        await this.#discardUnused(image.digest);
        throw error;
      }
    });
  }

  /** IMAGE_NOT_FOUND; IMAGE_IN_USE while a box was made of it and no other reference keeps it. */
  async remove(reference: string): Promise<void> {
    const { store } = this.#parts;
    const resolved = resolveImageAlias(reference);
    if (resolved === baseImageReference) throw reserved();
    const record = store.images.get(resolved);
    if (record === undefined) throw notHere(resolved);
    const user = this.#boxOf(record.digest);
    if (user !== undefined && this.#digests().filter((digest) => digest === record.digest).length === 1) {
      throw new BoxRunError("IMAGE_IN_USE", `Image ${resolved} is used by box ${user.name ?? user.id}`, {
        details: { box_id: user.id },
      });
    }
    store.images.delete(resolved);
    await this.#discardUnused(record.digest);
  }

  /** What a box runs that is told nothing: its image's own command. VALIDATION_ERROR if that has none. */
  async commandOf({ image, imageDigest }: BoxRecord): Promise<readonly string[]> {
    const command = imageDigest === null ? undefined : await this.#parts.content.ownCommand(imageDigest);
    if (command !== undefined) return command;
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `cmd: image ${image} has no command of its own; say what to run, as in \`boxrun run ${image} sh\``,
    );
  }

  layoutDir(digest: string): string {
    return this.#parts.content.layoutDir(digest);
  }

  #requireNewName(reference: string, replace: boolean): void {
    if (reference === baseImageReference) throw reserved();
    const resolved = resolveImageAlias(reference);
    if (resolved !== reference) {
      throw new BoxRunError(
        "VALIDATION_ERROR",
        `reference: "${reference}" is short for ${resolved}; choose another name`,
      );
    }
    this.#parts.content.requireReference(reference);
    if (!replace && this.#parts.store.images.get(reference) !== undefined) {
      throw new BoxRunError(
        "NAME_ALREADY_EXISTS",
        `There is an image ${reference} already; \`boxrun commit --replace\` (\`replace\` of the API) gives its name to the new one`,
      );
    }
  }

  async #here(reference: string): Promise<ImageRecord> {
    const resolved = resolveImageAlias(reference);
    if (resolved === baseImageReference) return await this.#builtin();
    const record = this.#parts.store.images.get(resolved);
    if (record === undefined) throw notHere(resolved);
    return record;
  }

  async #builtin(): Promise<ImageRecord> {
    const image = await this.#parts.content.builtin();
    const known = this.#parts.store.images.get(baseImageReference);
    return known?.digest === image.digest ? known : this.#record(baseImageReference, image);
  }

  #pull(reference: string, request: PullRequest): Promise<ImageRecord> {
    return this.#pulls.join(reference, request, async (signal, onProgress) => {
      const image = await this.#parts.content.pull(reference, { signal, onProgress });
      return this.#record(reference, image);
    });
  }

  async #record(reference: string, image: StoredImage): Promise<ImageRecord> {
    const { store, clock, logger, retryTimes } = this.#parts;
    const before = store.images.get(reference);
    const record: ImageRecord = {
      reference,
      digest: image.digest,
      sizeBytes: image.sizeBytes,
      config: image.config,
      createdAtMs: clock.now(),
    };
    await whileBusy(() => store.images.put(record), retryTimes);
    // A tag that has moved leaves an image without a name behind.
    if (before !== undefined && before.digest !== image.digest) {
      await this.#discardUnused(before.digest).catch((error: unknown) => {
        logger.warn({ image: reference, digest: before.digest, err: error }, "an image that nothing names was left");
      });
    }
    return record;
  }

  /** Destroys an image that has neither a name nor a box, nor somebody who may be about to give it one. */
  async #discardUnused(digest: string): Promise<void> {
    await this.#claims.whenUnclaimed(async () => {
      const keep = this.#digests();
      if (keep.includes(digest) || this.#boxOf(digest) !== undefined) return;
      await this.#parts.onForget(digest);
      await this.#parts.engine.forgetImage(digest);
      await this.#parts.content.remove(digest, { keep });
    });
  }

  #digests(): string[] {
    return this.#parts.store.images.list().map((image) => image.digest);
  }

  #boxOf(digest: string): BoxRecord | undefined {
    return this.#parts.store.boxes.list().find((box) => box.imageDigest === digest);
  }
}

function copied(words: readonly string[] | null): string[] | null {
  return words === null ? null : [...words];
}

function notHere(reference: string): BoxRunError {
  return new BoxRunError("IMAGE_NOT_FOUND", `Image ${reference} is not on this server`);
}

function reserved(): BoxRunError {
  return new BoxRunError(
    "VALIDATION_ERROR",
    `reference: "${baseImageReference}" is the image that ships with BoxRun; it can be neither replaced nor removed`,
  );
}
