/** A command as one would type it, for people to copy: `sh -c 'exit 4'`. */
export function shellText(command: readonly string[]): string {
  return command.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
