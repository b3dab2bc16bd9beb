import type { RunResponse } from "@boxrun/contract";

/** Characters of each stream, half of them its beginning and half its end. */
const keptLength = 512 * 1024;

/** An answer as it is kept for who asks again: of a long one the middle is left out. */
export function keptAnswer(answer: RunResponse): RunResponse {
  const stdout = cut(answer.stdout);
  const stderr = cut(answer.stderr);
  const skipped = stdout.skippedBytes + stderr.skippedBytes;
  if (skipped === 0) return answer;
  const skipped_bytes = (answer.skipped_bytes ?? 0) + skipped;
  return { ...answer, stdout: stdout.text, stderr: stderr.text, truncated: true, skipped_bytes };
}

function cut(text: string): { readonly text: string; readonly skippedBytes: number } {
  if (text.length <= keptLength) return { text, skippedBytes: 0 };
  const half = keptLength / 2;
  const skippedBytes = Buffer.byteLength(text.slice(half, -half));
  const note = `\n[boxrun: ${skippedBytes} bytes are left out here: the answer was not kept in full]\n`;
  return { text: text.slice(0, half) + note + text.slice(-half), skippedBytes };
}
