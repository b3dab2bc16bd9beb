/** What is shown in place of a secret. */
const mask = "***";

/** Names whose values are secrets, as far as a name tells: rather one too many. PWD, PATH and KEYBOARD are none. */
const secretName =
  /token|secret|passw|passphrase|credential|(^|[_-])(pass|auth|pat)($|[_-])|[_-]pwd($|[_-])|(^|[_-]|api|access|private|secret)keys?($|[_-])/i;

/** The password of an address: `postgres://user:password@host`. */
const passwordInAddress = /(:\/\/[^/?#\s:@]*:)[^/?#\s@]+@/g;

/** A variable's value as it may be shown on a screen, or in the log of a build. */
export function maskedValue(name: string, value: string): string {
  return secretName.test(name) && value !== "" ? mask : value.replace(passwordInAddress, `$1${mask}@`);
}

/** `--name=value`, `NAME=value`: what is assigned to what. */
const assignment = /^(-{0,2}[\w.-]+)=(.*)$/s;
/** `--name`, whose value is the next word. */
const option = /^--?[\w.-]+$/;

/** The words of a command, without what tells by its name that it is a secret. What tells nothing by its name is shown. */
export function maskedCommand(words: readonly string[]): string[] {
  return words.map((word, index) => {
    const [, name, value] = assignment.exec(word) ?? [];
    if (name !== undefined && value !== undefined) return `${name}=${maskedValue(name, value)}`;
    const before = words[index - 1];
    const isValue = before !== undefined && option.test(before) && !word.startsWith("-");
    return maskedValue(isValue ? before : "", word);
  });
}
