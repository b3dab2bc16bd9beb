import { parseArgs } from "node:util";
import { createBoxRequestSchema, sizeInMegabytes } from "@boxrun/contract";
import type { PoolSize } from "@boxrun/core";
import { z } from "zod";

const most = 1_000;
const form =
  "must be sizes with a comma between them, each a number and what `boxrun create` takes: 2 base, 1 python --memory 2g --network";

/** `2 base, 1 python:3.12 --cpu 4 --memory 2g --disk 20g --network`: how many, and then what `boxrun create` takes for such a box. */
export const poolSetting = z.string().transform((text, context): PoolSize[] => {
  try {
    return text.split(",").map((part) => sizeFrom(part.trim()));
  } catch (error) {
    const reason = error instanceof UnusableSize ? ` (${error.message})` : "";
    context.addIssue({ code: "custom", message: `${form}${reason}` });
    return z.NEVER;
  }
});

class UnusableSize extends Error {}

function sizeFrom(text: string): PoolSize {
  const [count = "", ...words] = text.split(/\s+/);
  if (!/^\d+$/.test(count) || Number(count) > most) {
    throw new UnusableSize(`${JSON.stringify(text)} does not begin with how many, at most ${most}`);
  }
  const { values, positionals } = parse(words);
  const [image, ...more] = positionals;
  if (image === undefined || more.length > 0) throw new UnusableSize(`${JSON.stringify(text)} does not name one image`);
  const request = createBoxRequestSchema.safeParse({
    image,
    cpu: values.cpu === undefined ? undefined : Number(values.cpu),
    memory_mb: values.memory === undefined ? undefined : (sizeInMegabytes(values.memory, "m") ?? Number.NaN),
    disk_size_gb: values.disk === undefined ? undefined : (sizeInMegabytes(values.disk, "g") ?? Number.NaN) / 1024,
    network: values.network,
  });
  if (!request.success) {
    const [issue] = request.error.issues;
    throw new UnusableSize(`${JSON.stringify(text)}: ${issue?.path.join(".")} ${issue?.message}`);
  }
  const { cpu, memory_mb: memoryMb, disk_size_gb: diskSizeGb, network } = request.data;
  return { image, cpu, memoryMb, diskSizeGb, network, count: Number(count) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        cpu: { type: "string" },
        memory: { type: "string", short: "m" },
        disk: { type: "string", short: "d" },
        network: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UnusableSize(error instanceof Error ? error.message : String(error));
  }
}
