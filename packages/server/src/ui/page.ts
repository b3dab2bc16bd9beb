import { basename, dirname, extname } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { locateDashboard } from "./locate.ts";

/**
 * What a browser is told to do with the dashboard: run its own code and nothing that stands in the page, talk to this server alone, and
 * show it in no other page's frame. Style attributes are let through: xterm.js writes a cell's colours as such.
 */
const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** What the build names after its content, and so never changes. */
const hashedAssets = "assets";

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>BoxRun</title>
<h1>The dashboard is not built</h1>
<p>The server runs, and <code>boxrun</code> works. To have the dashboard here, run this in the checkout and load this page again:</p>
<pre>npm run setup</pre>
<p>A <code>boxrun</code> that was installed with npm brings it along: install it anew with <code>boxrun upgrade</code>.</p>
</html>
`;

export interface PageOptions {
  /** What a proxy puts before every path, as `/boxrun`; empty for nothing. */
  readonly basePath: string;
  /** Default: where it is built. */
  readonly locate?: (() => string | undefined) | undefined;
}

/** Serves the dashboard at `/ui/`. It is the same for everybody: what it shows it has to ask the API for. */
export async function registerPage(app: FastifyInstance, options: PageOptions): Promise<void> {
  const { basePath, locate = locateDashboard } = options;
  await app.register(fastifyStatic, {
    root: import.meta.dirname,
    serve: false,
    dotfiles: "ignore",
    // Made by tools/dashboard.ts; where they are not, the file itself goes out.
    preCompressed: true,
    cacheControl: false,
    setHeaders: (response, path) => {
      const isHashed = basename(dirname(path)) === hashedAssets;
      for (const [name, value] of Object.entries(headers)) response.header(name, value);
      response.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
  const config = { isPage: true } as const;
  const method = ["GET", "HEAD"];
  const toPage = (_request: FastifyRequest, reply: FastifyReply) => {
    reply.header("cache-control", "no-cache").redirect(`${basePath}/ui/`, 302);
  };
  app.route({ method, url: "/", config, handler: toPage });
  app.route({ method, url: "/ui", config, handler: toPage });
  app.route({
    method,
    url: "/ui/*",
    config,
    handler: (request, reply) => {
      const path = pathOf(request) || "index.html";
      // An address that somebody took for one of the page's; those stand behind the `#`.
      if (extname(path) === "") return toPage(request, reply);
      const root = locate();
      if (root === undefined) {
        reply.status(503).headers(headers).header("retry-after", "10");
        return reply.type("text/html; charset=utf-8").send(notBuilt);
      }
      // What begins with a dot, or leaves the directory, is refused by the library.
      return reply.sendFile(path, root);
    },
  });
}

function pathOf({ params }: FastifyRequest): string {
  return typeof params === "object" && params !== null && "*" in params ? String(params["*"]) : "";
}
