/** Child of crash.test.ts: appends for ever, and prints the number of each append once it is committed. */
import { writeSync } from "node:fs";
import { openStore } from "../../src/index.ts";
import { box, exec, line, stored } from "./records.ts";

const store = openStore({ path: process.argv[2] ?? "" });
store.boxes.insert(box("box_1"));
store.execs.insert(exec("exec_1", "box_1"));
for (let number = 1; ; number++) {
  await store.output.append("exec_1", [line(`line ${number}`)], stored(number));
  writeSync(1, `${number}\n`);
}
