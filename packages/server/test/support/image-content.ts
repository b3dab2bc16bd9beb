import { BoxRunError, type PullProgress } from "@boxrun/contract";
import type { ImageContent, StoredImage } from "@boxrun/core";

export type Pull = (
  reference: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void },
) => Promise<StoredImage>;

const image = (letter: string): StoredImage => ({
  digest: `sha256:${letter.repeat(64)}`,
  sizeBytes: 1234,
  config: { env: {}, user: null, workdir: null },
});

export const pulledImage = image("b");

const refuse: Pull = async (reference) => {
  throw new BoxRunError("IMAGE_PULL_FAILED", `Cannot pull ${reference}: manifest unknown`);
};

/** Images without content: `base`, which runs `echo its own` by itself, and what the test lets be pulled. */
export function fakeImageContent(pull: Pull = refuse): ImageContent {
  return {
    builtin: async () => image("a"),
    requireReference: (reference) => {
      if (/[\s:]$|[A-Z ]/.test(reference))
        throw new BoxRunError("VALIDATION_ERROR", "image: is not an image reference");
    },
    pull,
    importArchive: async (tar) => {
      const chunks: Buffer[] = [];
      for await (const chunk of tar) chunks.push(Buffer.from(chunk));
      const text = Buffer.concat(chunks).toString();
      if (!text.startsWith("tar:")) throw new BoxRunError("VALIDATION_ERROR", "body: is not a tar of images");
      return [{ ...image("c"), references: [text.slice("tar:".length)] }];
    },
    make: async (tar) => {
      for await (const _ of tar);
      return image("d");
    },
    ownCommand: async (digest) => (digest === image("a").digest ? ["echo", "its own"] : undefined),
    describe: async () => ({ platform: "linux/amd64", entrypoint: ["echo"], cmd: ["its own"] }),
    programs: async () => ["ls", "sh"],
    layoutDir: (digest) => `/nowhere/${digest}`,
    remove: async () => undefined,
  };
}
