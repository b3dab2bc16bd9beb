import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { outerArgs } from "../boxlite/vm/qemu.ts";
import { quote } from "../boxlite/vm/ssh.ts";
import { settleReport } from "../test-run/stages.ts";

it("a command's words reach the VM's shell as they are", () => {
  const words = ["plain", "", "two words", "it's", '"$HOME"', "`id`", "a\nb", "*", "\\", "--flag=ü"];
  const script = `printf '%s\\0' ${words.map(quote).join(" ")}`;
  expect(execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1)).toEqual(words);
});

it("the emulated CPU can virtualise, and its clock goes as slowly as it is told to", () => {
  const image = { qemu: ["qemu"], kernel: "/k", modules: [], busybox: "/b", root: "/a,b.squashfs" };
  const args = outerArgs(image, { cpus: 1, memoryMb: 4096, sshPort: 1, tscKhz: 1000, slowdown: 4 });
  expect(args).toContain("max,+svm,-la57,-erms,-fsrm,-smap,-smep,-umip");
  expect(args.join(" ")).toContain("tsc_early_khz=4000 ");
  // QEMU takes a doubled comma for one that belongs to the name.
  expect(args.join(" ")).toContain("file.filename=/a,,b.squashfs");
});

it("a run inside that ends without a report is a failure, whatever ended it", () => {
  expect(settleReport("boxlite", undefined, "exit code 255").failures).toEqual([
    "vitest boxlite: it ended with exit code 255 and no report",
  ]);
  expect(settleReport("boxlite", '{"passed":', "exit code 0").failures).toHaveLength(1);
  const failed = JSON.stringify({ passed: 3, failures: ["a test"], skips: [] });
  expect(settleReport("boxlite", failed, "exit code 1").failures).toEqual(["a test"]);
  const unexplained = JSON.stringify({ passed: 3, failures: [], skips: [] });
  expect(settleReport("boxlite", unexplained, "exit code 137").failures).toHaveLength(1);
});
