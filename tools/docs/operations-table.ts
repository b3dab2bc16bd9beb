import { type Operation, operationIds, operations } from "@boxrun/contract";

/** What stands around the table in docs/rest.md. */
const [begin, end] = ["<!-- every operation: node tools/openapi.ts -->", "<!-- -->"];

const titles: Readonly<Record<Operation["tag"], string>> = {
  boxes: "Boxes",
  execs: "Commands",
  terminals: "Terminals and sessions",
  ports: "Ports",
  files: "Files",
  images: "Images",
  stats: "What boxes use",
  history: "What was done",
  server: "The server",
  "sign-in": "Browsers",
  mcp: "Agents",
};

/** The page with the table as the contract has it. */
export function withOperations(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`docs/rest.md lacks ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n${table()}\n${page.slice(to)}`;
}

function table(): string {
  const all = operationIds.map((id): Operation => operations[id]);
  const rows = Object.entries(titles).flatMap(([tag, title]) => [
    `| **${title}** | |`,
    ...all
      .filter((operation) => operation.tag === tag)
      .map(({ method, path, summary }) => `| \`${method} ${path}\` | ${summary.replaceAll("|", "\\|")} |`),
  ]);
  return ["| operation | what it does |", "|---|---|", ...rows].join("\n");
}
