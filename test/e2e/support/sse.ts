import { createParser } from "eventsource-parser";
import { z } from "zod";

const dataSchema = z.object({ stream: z.enum(["stdout", "stderr"]).nullable(), data: z.string(), seq: z.int() });

export interface ParsedEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: z.infer<typeof dataSchema>;
}

export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ParsedEvent> {
  const waiting: ParsedEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, id, data }) => {
      // Tells what was started, and is no piece of what it says.
      if (event === "exec") return;
      waiting.push({ event: event ?? "message", id, data: dataSchema.parse(JSON.parse(data)) });
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* waiting.splice(0);
  }
}
