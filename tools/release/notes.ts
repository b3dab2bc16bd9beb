/**
 * The changelog's section of the version, or of what is not released yet while there is none, and below it the commits. Throws where there is no
 * section.
 */
export function notesOf(changelog: string, version: string, commits: readonly string[]): string {
  const sections = changelog.split(/^(?=## )/m).slice(1);
  const section =
    sections.find((text) => text.startsWith("## Unreleased\n")) ??
    sections.find((text) => text.startsWith(`## ${version}\n`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}"`);
  const told = section.replace(/^## .*\n/, `# BoxRun ${version}\n`).trim();
  return `${told}\n\n## Commits\n\n${commits.map((line) => `- ${line}\n`).join("")}`;
}
