import type { CallToolResult, Tool as ListedTool, ToolAnnotations } from "@modelcontextprotocol/sdk/types.js";
import type { BoxRunClient } from "boxrun-sdk";
import { z } from "zod";
import { taught } from "./errors.ts";
import type { SessionBoxes } from "./session-boxes.ts";

/** What a tool works with, in one call. */
export interface Call {
  readonly client: BoxRunClient;
  readonly boxes: SessionBoxes;
  /** Aborts when the caller takes the call back, or is gone. */
  readonly signal: AbortSignal;
  /** Tells the caller how far it is; nobody hears it unless the caller has asked for it. */
  readonly progress: (message: string) => void;
}

export interface Answer<Output> {
  /** For the model. */
  readonly text: string;
  /** The same for programs, as `output` says. */
  readonly structured: Output;
  /** Beside the text: a picture, say. */
  readonly content?: CallToolResult["content"];
}

export interface Tool {
  /** As `tools/list` has it. */
  readonly listed: ListedTool;
  /** What goes wrong is an answer too: one that says what to do. */
  call(input: unknown, call: Call): Promise<CallToolResult>;
}

/** A tool: what it is called, what it takes and gives, and what it does. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(definition: {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  readonly annotations: Required<Omit<ToolAnnotations, "title">>;
  readonly work: (input: z.output<Input>, call: Call) => Promise<Answer<z.output<Output>>>;
}): Tool {
  const { name, title, description, input, output, annotations, work } = definition;
  return {
    listed: {
      name,
      title,
      description,
      inputSchema: objectSchema(input, "input"),
      outputSchema: objectSchema(output, "output"),
      annotations: { title, ...annotations },
    },
    call: async (given, call) => {
      const parsed = input.safeParse(given ?? {});
      if (!parsed.success) return failed(`The arguments of ${name} are not right. ${z.prettifyError(parsed.error)}`);
      try {
        const { text, structured, content = [] } = await work(parsed.data, call);
        return { content: [{ type: "text", text }, ...content], structuredContent: structured };
      } catch (error) {
        return failed(taught(error));
      }
    },
  };
}

function failed(text: string): CallToolResult {
  return { content: [{ type: "text", text }], isError: true };
}

function objectSchema(schema: z.ZodObject, io: "input" | "output"): ListedTool["inputSchema"] {
  const { $schema, ...written } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // What JavaScript can count is no limit that a model wants to know.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return { ...written, type: "object" } as ListedTool["inputSchema"];
}
