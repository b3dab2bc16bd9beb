// Plain JavaScript for any Node from 18 on, like boxrun.js beside it.
import { readFileSync } from "node:fs";

/**
 * Ends the process with 2 if one of the words is not UTF-8: Node has put U+FFFD in place of its bytes, and neither Node nor JSON could pass
 * them on. A U+FFFD that was typed as such is let through; so is everything where the system does not tell (other than Linux).
 */
export function refuseWhatIsNotUtf8(words) {
  const raw = rawWords(words.length);
  const index = raw.findIndex((bytes) => !isUtf8(bytes));
  if (index === -1) return;
  const message = `argument ${index + 1}, ${shown(raw[index])}, is not UTF-8`;
  const hint = "Arguments, variables and names of files are passed on as text: give them in UTF-8.";
  const separator = words.indexOf("--");
  const json = words.slice(0, separator === -1 ? undefined : separator).includes("--json");
  process.stderr.write(
    json ? `${JSON.stringify({ code: "USAGE", message, hint })}\n` : `Error: ${message}\nHint: ${hint}\n`,
  );
  process.exit(2);
}

/** The last so many words of this process's command line, as they were given to it. */
function rawWords(count) {
  let cmdline;
  try {
    cmdline = readFileSync("/proc/self/cmdline");
  } catch {
    return [];
  }
  const words = [];
  for (let begin = 0; begin < cmdline.length; ) {
    const end = cmdline.indexOf(0, begin);
    words.push(cmdline.subarray(begin, end));
    begin = end + 1;
  }
  return words.slice(-count);
}

function isUtf8(bytes) {
  return Buffer.from(bytes.toString("utf8")).equals(bytes);
}

/** As bash would take it: `$'caf\\xe9'`. */
function shown(bytes) {
  const text = [...bytes].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x27 || byte === 0x5c
      ? `\\x${byte.toString(16).padStart(2, "0")}`
      : String.fromCharCode(byte),
  );
  return `$'${text.join("")}'`;
}
