import type { Local } from "./local.ts";

async function refuse(): Promise<never> {
  throw new TypeError(
    "boxrun-sdk: a browser has no file system and starts no server; use files.write, files.read and files.stream",
  );
}

export const local: Local = { openSource: refuse, writeFile: refuse, unpack: refuse, startServer: refuse };
