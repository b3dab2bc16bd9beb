/** What the answers of the server are kept under. */
export const keys = {
  boxes: ["boxes"] as const,
  execs: (boxId: string) => ["execs", boxId] as const,
  sessions: (boxId: string) => ["sessions", boxId] as const,
  files: (boxId: string, path: string) => ["files", boxId, path] as const,
  allFiles: (boxId: string) => ["files", boxId] as const,
  ports: (boxId: string) => ["ports", boxId] as const,
  images: ["images"] as const,
  info: ["info"] as const,
  usage: ["usage"] as const,
  metrics: ["metrics"] as const,
  findings: ["findings"] as const,
  signIn: ["sign-in"] as const,
  allHistory: ["history"] as const,
  history: (boxId: string | undefined, limit: number) => ["history", boxId ?? null, limit] as const,
};
