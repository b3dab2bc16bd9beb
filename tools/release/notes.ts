/** The changelog's section of the version, or of what is not released yet while there is none. Throws where there is neither. */
export function notesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^(?=## )/m).slice(1);
  const section =
    sections.find((text) => text.startsWith("## Unreleased\n")) ??
    sections.find((text) => text.startsWith(`## ${version}\n`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}"`);
  return `${section.replace(/^## .*\n/, `# BoxRun ${version}\n`).trim()}\n`;
}
