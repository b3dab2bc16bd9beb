export { McpHttp, type McpHttpOptions } from "./http.ts";
export { type StdioOptions, serveStdio } from "./stdio.ts";
export { toolNames } from "./tools/all.ts";
