import { describe, expect, it } from "vitest";
import { type Block, blocksIn, blocksOf, outputFault, pages } from "../docs/blocks.ts";
import { holdAgainst, read } from "../docs/read.ts";

describe("a block of the documentation", () => {
  const kinds = (markdown: string) => blocksIn("page.md", markdown).map(({ kind, line }) => [kind, line]);

  it("says in its first line what becomes of it", () => {
    const text = "a\n```sh run\ntrue\n```\n- b\n  ```json schema=Box\n  {}\n  ```\n<!-- run\ntrue\n-->\n";
    expect(kinds(text)).toEqual([
      ["run", 2],
      ["schema", 6],
      ["run", 9],
    ]);
    expect(blocksIn("page.md", text)[1]?.text).toBe("{}\n");
  });

  it.each(["```\nx\n```", "```sh\ntrue\n```", "```ts ran\n```", "```yaml parse\na: 1\n```", "~~~python\n~~~"])(
    "that does not is wrong: %j",
    (markdown) => expect(kinds(markdown)).toEqual([["wrong", 1]]),
  );

  it("may leave out what differs of an output", () => {
    expect(outputFault("box_… runs\n", "box_a(b runs\n\n")).toBeUndefined();
    expect(outputFault("a.c\n…\nz", "a.c\nb\ny\nz")).toBeUndefined();
    expect(outputFault("a.c\n", "abc\n")).toContain("a.c");
    expect(outputFault("hello", "hello world")).toContain("hello world");
  });
});

/** Those that have any; a block without a word on what becomes of it counts. */
const withExamples = pages.filter((page) => blocksOf(page).some(({ kind }) => kind !== "text"));

describe.each(withExamples)("%s", (page) => {
  const blocks = blocksOf(page).filter(({ kind }) => kind !== "text");
  it("has examples that are right, as far as they can be read", () => {
    const faults = blocks.flatMap((block, index) => {
      const fault = faultOf(block, blocks[index - 1]);
      return fault === undefined ? [] : [`${page}:${block.line}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });
});

function faultOf(block: Block, before: Block | undefined): string | undefined {
  try {
    if (block.kind === "wrong") return block.why;
    if (block.kind === "output" && before?.kind !== "run") return "an output stands behind a block that runs";
    if (block.kind === "run" || block.kind === "parse") read(block.language, block.text);
    if (block.kind === "schema") holdAgainst(block.schema, block.text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
