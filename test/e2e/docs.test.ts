import { describe, it } from "vitest";
import { blocksOf, pages } from "../../tools/docs/blocks.ts";
import { DocsPlace } from "./support/docs-place.ts";

const withExamples = pages.filter((page) => blocksOf(page).some(({ kind }) => kind === "run"));

describe("the examples of", () => {
  it.each(withExamples)(
    "%s do what it says",
    async (page) => {
      await using place = await DocsPlace.open();
      for (const block of blocksOf(page)) await place.do(block);
    },
    600_000,
  );
});
