import { execFile } from "node:child_process";
import { promisify } from "node:util";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { z } from "zod";

export type { Browser, Page };

const programs = ["chromium-headless-shell", "chromium", "google-chrome"];

/** Debian's Chromium, without its windows where there is such a one, as the tests' set-up installs it. */
export async function launchBrowser(): Promise<Browser> {
  const { stdout } = await promisify(execFile)("sh", ["-c", programs.map((name) => `command -v ${name}`).join(" || ")]);
  return chromium.launch({
    executablePath: stdout.trim(),
    // Chromium's own sandbox needs what containers and root do not have; these pages are the test's own.
    args: ["--no-sandbox"],
  });
}

/** What a page says of itself that nobody should have to hear: failures of its code, and what its content security policy has stopped. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is gone is told by the browser too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
  });
  return complaints;
}

const violationsSchema = z.object({
  violations: z.array(
    z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })) }),
  ),
});

/** What axe finds wrong with the page by WCAG 2.2 A and AA, a line each. `colors`: only what depends on them. */
export async function accessibilityFaults(page: Page, what: "all" | "colors" = "all"): Promise<string[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source);
  const options = {
    runOnly:
      what === "colors"
        ? { type: "rule", values: ["color-contrast", "link-in-text-block"] }
        : ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    // Of what is right nobody asks which elements it is.
    resultTypes: ["violations"],
  };
  const result = await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`);
  return violationsSchema
    .parse(result)
    .violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ""}`),
    );
}
