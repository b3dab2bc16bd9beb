/**
 * `node tools/dashboard-pictures.ts`: takes the pictures of docs/dashboard.md anew: every page, light, dark and on a phone, of a real server with real boxes. Takes some
 * minutes; look at each before it is committed.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { commandLine } from "../packages/host/src/command-line.ts";
import { type Browser, launchBrowser, type Page } from "../test/e2e/support/browser.ts";
import { DashboardTest } from "../test/e2e/support/dashboard.ts";

commandLine(import.meta.url);

const out = fileURLToPath(new URL("../docs/dashboard/", import.meta.url));
/** For lines in the list that show something. */
const watchedMs = 100_000;
const quality = 0.8;

const looks = {
  light: { colorScheme: "light", viewport: { width: 1100, height: 720 } },
  dark: { colorScheme: "dark", viewport: { width: 1100, height: 720 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true },
} as const;

await using dashboard = await DashboardTest.start({ env: { BOXRUN_MAX_CPU: "16" } });
const { http } = dashboard.server;
const small = { cpu: 1, memory_mb: 128, disk_size_gb: 1 };
const dev = await http.createBox({
  ...small,
  name: "dev",
  labels: { team: "web" },
  env: { LANG: "C.UTF-8", API_TOKEN: "x" },
  secret_env: ["API_TOKEN"],
  ports: [{ guest_port: 8080 }],
});
await http.createBox({ ...small, name: "nightly-tests", labels: { team: "ci", branch: "main" }, ttl_seconds: 28_800 });
await http.createBox({ ...small, name: "review-4312", labels: { team: "ci", pr: "4312" } });
await http.createBox({ ...small, name: "old-experiment" });
await http.json("POST", "/v1/boxes/old-experiment:stop");
const sh = (script: string) => ["sh", "-c", script];
await http.run(
  "dev",
  sh("mkdir -p src/pages && echo hello > README.md && seq 500 > src/numbers.txt && echo 'print(1)' > src/main.py"),
);
await http.startExec("dev", ["httpd", "-f", "-p", "8080", "-h", "/root"]);
const work =
  "i=0; while :; do i=$((i+1)); printf '\\033[32mok\\033[m %s \\033[2mtest number %s\\033[m\\n' $i $((i*7)); seq 20000 >/dev/null; sleep 0.5; done";
await http.startExec("nightly-tests", sh("while :; do seq 300000 >/dev/null; sleep 2; done"));
await http.startExec("dev", sh(work));
await delay(watchedMs);

const box = `/boxes/${dev.id}`;
const pages: Readonly<Record<string, string>> = {
  boxes: "/boxes",
  create: "/create",
  run: "/run",
  images: "/images",
  history: "/history",
  server: "/server",
  overview: `${box}/overview`,
  execs: `${box}/execs`,
  terminal: `${box}/terminal`,
  files: `${box}/files`,
  "box-history": `${box}/history`,
  settings: `${box}/settings`,
};

const browser = await launchBrowser();
try {
  await mkdir(out, { recursive: true });
  for (const [look, options] of Object.entries(looks)) {
    const { page } = await dashboard.open("/boxes", options);
    await page.getByRole("row", { name: "dev" }).waitFor();
    for (const [name, place] of Object.entries(pages)) {
      await page.evaluate(`location.hash = ${JSON.stringify(place)}`);
      await prepare(name, page);
      await writeFile(join(out, `${name}-${look}.webp`), await webp(browser, await page.screenshot()));
    }
    await page.context().close();
  }
} finally {
  await browser.close();
}

/** What makes a picture tell something. */
async function prepare(name: string, page: Page): Promise<void> {
  if (name === "create") {
    await page.getByLabel("Name", { exact: true }).fill("web");
    await page.getByLabel("Memory, MB").fill("2048");
  }
  if (name === "run") {
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("It succeeded.").waitFor({ timeout: 120_000 });
  }
  if (name === "terminal") {
    const open = page.getByRole("button", { name: "Open a terminal" });
    await open.or(page.locator(".terminal-host")).first().waitFor();
    if (await open.isVisible()) await open.click();
    await page.locator('.terminal-host[data-state="attached"]').waitFor({ timeout: 60_000 });
    await page.keyboard.type("clear; ls -la; free\n");
    await page.locator(".xterm-rows").getByText("Mem:").waitFor({ timeout: 60_000 });
  }
  // What is read when a page opens is there by then.
  await delay(name === "overview" ? 8_000 : 2_500);
}

/** The browser itself packs it. */
async function webp(packer: Browser, png: Buffer): Promise<Buffer> {
  const page = await packer.newPage();
  try {
    const address = await page.evaluate(`(async () => {
      const image = new Image();
      image.src = "data:image/png;base64,${png.toString("base64")}";
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = image.width;
      canvas.height = image.height;
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas.toDataURL("image/webp", ${quality});
    })()`);
    return Buffer.from(String(address).split(",")[1] ?? "", "base64");
  } finally {
    await page.close();
  }
}
