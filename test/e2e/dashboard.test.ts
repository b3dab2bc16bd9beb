import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { startBrake, startRegistry } from "@boxrun/images/testing";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { accessibilityFaults } from "./support/browser.ts";
import { DashboardTest } from "./support/dashboard.ts";

/** Of an image's manifest what tells its layers. */
const manifestSchema = z.object({ layers: z.array(z.object({ digest: z.string() })) });

/** A box boots in seconds; beside others, on a CPU that is emulated, it takes its time. */
const bootMs = 120_000;
const soonMs = 20_000;

let dashboard: DashboardTest;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "br-dash-"));
  dashboard = await DashboardTest.start();
  await dashboard.server.http.createBox({ name: "dev" });
});
afterEach(() => dashboard.closePages());
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const stateOf = (page: Page, name: string) => page.getByRole("row", { name }).locator(".cell-state");

async function openBox(tab: string) {
  const { id } = await dashboard.server.http.getBox("dev");
  return dashboard.open(`/boxes/${id}/${tab}`);
}

/** On the box's first session, which is made if there is none. */
async function openTerminal() {
  const opened = await openBox("terminal");
  const host = opened.page.locator(".terminal-host");
  const button = opened.page.getByRole("button", { name: "Open a terminal" });
  await button.or(host).waitFor({ timeout: soonMs });
  if (await button.isVisible()) await button.click();
  await opened.page.locator('.terminal-host[data-state="attached"]').waitFor({ timeout: soonMs });
  return opened;
}

/** Another of its places, and what is there drawn. */
async function goTo(page: Page, place: string): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    if (location.hash === ${JSON.stringify(`#${place}`)}) return resolve();
    addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(resolve)), { once: true });
    location.hash = ${JSON.stringify(place)};
  })`);
}

/** Files that are dropped on what the locator finds, as a browser does it. */
async function drop(page: Page, target: Locator, name: string, content: Buffer): Promise<void> {
  const dataTransfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(${JSON.stringify(content.toString("base64"))}), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}));
    return transfer;
  })()`);
  await target.dispatchEvent("dragover", { dataTransfer });
  await target.dispatchEvent("drop", { dataTransfer });
}

async function runInPage(page: Page, command: string): Promise<void> {
  await page.getByLabel("Command to run").fill(command);
  await page.getByRole("button", { name: "Run", exact: true }).click();
}

describe("the dashboard", () => {
  it("creates a box that every browser watches come up, stop, start and go", async () => {
    const [one, other] = await Promise.all([dashboard.open("/create"), dashboard.open("/boxes")]);
    await one.page.getByLabel("Name").fill("fresh");
    await one.page.getByLabel("Memory, MB").fill("256");
    await one.page.getByLabel("Disk, GB").fill("1");
    expect(await one.page.getByRole("figure", { name: "CLI code" }).innerText()).toContain(
      "boxrun create base --memory 256 --disk 1 --name fresh",
    );
    await one.page.getByRole("button", { name: "Create" }).click();
    await expect.poll(() => stateOf(other.page, "fresh").innerText(), { timeout: soonMs }).toMatch(/creating|running/);
    await one.page.getByRole("heading", { name: "fresh" }).waitFor({ timeout: bootMs });
    await stateOf(other.page, "fresh").getByText("running").waitFor({ timeout: soonMs });

    await other.page.getByRole("button", { name: "Stop fresh" }).click();
    await one.page.getByRole("button", { name: "Start" }).waitFor({ timeout: bootMs });
    await stateOf(other.page, "fresh").getByText("stopped").waitFor({ timeout: soonMs });

    await one.page.getByRole("button", { name: "Start" }).click();
    await stateOf(other.page, "fresh").getByText("running").waitFor({ timeout: bootMs });

    await other.page.getByRole("button", { name: "More for fresh" }).click();
    await other.page.getByRole("menuitem", { name: "Remove…" }).click();
    const question = other.page.getByRole("dialog", { name: "Remove fresh?" });
    expect(await question.innerText()).toContain("It is running.");
    await question.getByRole("button", { name: "Remove fresh" }).click();
    await one.page.getByText("There is no such box").waitFor({ timeout: bootMs });
    await expect.poll(() => other.page.getByRole("row", { name: "fresh" }).count(), { timeout: soonMs }).toBe(0);
    expect([...one.complaints, ...other.complaints]).toEqual([]);
  });

  it("has a terminal that is as large as it looks, and that is come back to", async () => {
    const { page, complaints } = await openTerminal();
    const rows = page.locator(".xterm-rows");
    const sizeSaid = async () => {
      await page.keyboard.type("clear; stty size\n");
      let said = "";
      await expect
        .poll(
          async () => {
            said = /^(\d+ \d+)\s*$/m.exec(await rows.innerText())?.[1] ?? "";
            return said;
          },
          { timeout: soonMs },
        )
        .not.toBe("");
      return said;
    };
    const rowsSeen = () => rows.locator("> div").count();
    const first = await sizeSaid();
    expect(Number(first.split(" ")[0])).toBe(await rowsSeen());
    await page.setViewportSize({ width: 800, height: 560 });
    await expect.poll(sizeSaid, { timeout: bootMs }).not.toBe(first);
    await expect
      .poll(async () => Number((await sizeSaid()).split(" ")[0]) - (await rowsSeen()), { timeout: bootMs })
      .toBe(0);

    await page.keyboard.type("clear; vi /root/note\n");
    await expect.poll(() => rows.innerText(), { timeout: soonMs }).toMatch(/^~\s*$/m);
    await page.keyboard.type("iwritten in vi");
    await expect.poll(() => rows.innerText(), { timeout: soonMs }).toContain("written in vi");
    await page.keyboard.press("Escape");
    // What comes at once behind an escape vi takes for one key with it: its mode is told by the line at the bottom.
    await expect.poll(() => rows.innerText(), { timeout: soonMs }).toMatch(/^- \/root\/note/m);
    await page.keyboard.type(":wq\n");
    await expect
      .poll(async () => (await dashboard.server.http.run("dev", ["cat", "/root/note"])).stdout, { timeout: soonMs })
      .toBe("written in vi\n");

    await page.keyboard.type("clear; echo still-$((40+2))\n");
    await expect.poll(() => rows.innerText(), { timeout: soonMs }).toContain("still-42");
    await page.reload();
    await expect.poll(() => page.locator(".xterm-rows").innerText(), { timeout: soonMs }).toContain("still-42");
    expect(complaints).toEqual([]);
  });

  it("takes nothing that a box writes for anything but text", async () => {
    const { page, complaints } = await openBox("execs");
    const hostile = String.raw`printf '<script>window.owned=1</script><img src=x onerror="window.owned=1">\n\033]0;owned\007\033]52;c;b3duZWQ=\007\033]8;;javascript:owned()\007a link\033]8;;\007 \033[31mred\033[m\n'`;
    await runInPage(page, hostile);
    const lines = page.getByRole("log");
    await expect
      .poll(() => lines.innerText(), { timeout: soonMs })
      .toContain('<script>window.owned=1</script><img src=x onerror="window.owned=1">');
    expect(await lines.innerText()).toMatch(/\n2\n?\s*a link red/);
    expect(await lines.locator("script, img, a").count()).toBe(0);

    const name = '/root/<img src=x onerror="window.owned=1">';
    await dashboard.server.http.run("dev", ["touch", name]);
    const files = await openBox("files");
    await files.page
      .getByRole("button", { name: '<img src=x onerror="window.owned=1">', exact: true })
      .waitFor({ timeout: soonMs });

    const terminal = await openTerminal();
    await terminal.page.keyboard.type(`clear; ${hostile}\n`);
    await expect
      .poll(() => terminal.page.locator(".xterm-rows").innerText(), { timeout: soonMs })
      .toMatch(/a\slink\sred/);
    for (const each of [page, files.page, terminal.page]) {
      expect(await each.evaluate("window.owned")).toBeUndefined();
      expect(await each.title()).toBe("dev · BoxRun");
    }
    expect([...complaints, ...files.complaints, ...terminal.complaints]).toEqual([]);
  });

  it("shows output as it comes, finds in it, and ends what writes it", async () => {
    const { page, complaints } = await openBox("execs");
    await runInPage(page, "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.2; done");
    const lines = page.getByRole("log");
    for (const tick of ["tick 2", "tick 5"]) await lines.getByText(tick, { exact: true }).waitFor({ timeout: soonMs });
    await page.getByLabel("Search in the output").fill("tick 3");
    await expect
      .poll(() => page.locator(".output-search [role=status]").innerText(), { timeout: soonMs })
      .toMatch(/^1 of/);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("canceled", { exact: false }).first().waitFor({ timeout: soonMs });
    expect(complaints).toEqual([]);
  });

  it("draws only those of 200,000 lines that are in sight", async () => {
    const { page } = await openBox("execs");
    await runInPage(page, "seq 1 200000 | sed 's/$/ a line of a realistic length, with words in it/'");
    await page
      .getByText(/succeeded/)
      .first()
      .waitFor({ timeout: bootMs });
    const lines = page.getByRole("log");
    await lines.getByText(/^200000 a line/).waitFor({ timeout: bootMs });
    expect(await lines.locator(".line").count()).toBeLessThan(200);
  });

  it("uploads, edits, and downloads files", async () => {
    const { page, complaints } = await openBox("files");
    const local = join(directory, "hello.py");
    await writeFile(local, "print('hello')\n");
    await page.locator("input[type=file]").setInputFiles(local);
    const entry = page.getByRole("button", { name: "hello.py", exact: true });
    await entry.click({ timeout: soonMs });
    const content = page.getByLabel("Content of hello.py");
    await content.waitFor({ timeout: soonMs });
    await content.press("ControlOrMeta+Home");
    await page.keyboard.type("# edited\n");
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByText("Saved hello.py.").waitFor({ timeout: soonMs });
    expect((await dashboard.server.http.run("dev", ["cat", "/root/hello.py"])).stdout).toBe(
      "# edited\nprint('hello')\n",
    );

    await page.getByRole("button", { name: "Back" }).click();
    await page.getByRole("button", { name: "More for hello.py" }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: "Download" }).click();
    expect(await readFile(await (await downloading).path(), "utf8")).toBe("# edited\nprint('hello')\n");

    const dropped = Buffer.from([0, 255, 10, 13]);
    await drop(page, page.getByRole("region", { name: "Files" }), "dropped.bin", dropped);
    await page.getByText("Uploaded dropped.bin.").waitFor({ timeout: soonMs });
    const { stdout } = await dashboard.server.http.run("dev", ["od", "-An", "-tu1", "/root/dropped.bin"]);
    expect(stdout.trim().split(/\s+/)).toEqual(["0", "255", "10", "13"]);

    await page.getByRole("button", { name: "Folder" }).click();
    await page.getByLabel("Name", { exact: true }).fill("src");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "src", exact: true }).waitFor({ timeout: soonMs });
    await page.getByRole("button", { name: "More for hello.py" }).click();
    await page.getByRole("menuitem", { name: "Rename…" }).click();
    await page.getByLabel("Name", { exact: true }).fill("src/main.py");
    await page.keyboard.press("Enter");
    await expect.poll(() => entry.count(), { timeout: soonMs }).toBe(0);

    await page.getByRole("button", { name: "src", exact: true }).click();
    await page.getByRole("button", { name: "More for main.py" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete main.py" }).click();
    await expect
      .poll(() => page.getByRole("button", { name: "main.py", exact: true }).count(), { timeout: soonMs })
      .toBe(0);
    expect(complaints).toEqual([]);
  });

  it("shows what a box is labelled with, which ports lead into it and what listens there, and sets when it expires", async () => {
    const { id } = await dashboard.server.http.createBox({
      name: "ported",
      labels: { team: "blue" },
      ports: [{ guest_port: 8080 }],
      ttl_seconds: 7_200,
    });
    const { page, complaints } = await dashboard.open(`/boxes/${id}/overview`);
    expect(await page.getByRole("region", { name: "Labels" }).innerText()).toContain("blue");
    const ports = page.getByRole("region", { name: "Ports" });
    await ports.getByText(/^127\.0\.0\.1:\d+$/).waitFor({ timeout: soonMs });
    await ports.getByText("Nothing listens in it.").waitFor({ timeout: soonMs });
    await page.getByText(/\(stopped in 1h \d+m\)/).waitFor({ timeout: soonMs });

    await page.getByRole("button", { name: "Change when it expires" }).click();
    const dialog = page.getByRole("dialog", { name: "When does ported expire?" });
    // It begins with what is set: the other half can be changed alone.
    expect(await dialog.getByRole("button", { name: "as it is" }).getAttribute("aria-pressed")).toBe("true");
    expect(await accessibilityFaults(page)).toEqual([]);
    await dialog.getByRole("button", { name: "remove" }).click();
    await dialog.getByRole("button", { name: "Set" }).click();
    await page.getByText(/\(removed in 1h \d+m\)/).waitFor({ timeout: soonMs });

    await page.getByRole("button", { name: "Change when it expires" }).click();
    await dialog.getByRole("button", { name: "1 day" }).click();
    await dialog.getByRole("button", { name: "Set" }).click();
    await page.getByText(/\(removed in (1d|23h \d+m)\)/).waitFor({ timeout: soonMs });
    expect(await accessibilityFaults(page)).toEqual([]);
    const box = await dashboard.server.http.getBox("ported");
    expect(box.on_expiry).toBe("remove");

    await page.getByRole("button", { name: "Change when it expires" }).click();
    await dialog.getByRole("button", { name: "never" }).click();
    await dialog.getByRole("button", { name: "Set" }).click();
    await expect
      .poll(async () => (await dashboard.server.http.getBox("ported")).expires_at, { timeout: soonMs })
      .toBeUndefined();

    const list = await dashboard.open("/boxes");
    await list.page.getByRole("row", { name: "ported" }).getByRole("button", { name: "team=blue" }).click();
    await expect.poll(() => list.page.locator(".box-rows .box-row").count(), { timeout: soonMs }).toBe(1);
    expect(await list.page.getByLabel("Search boxes").inputValue()).toBe("team=blue");
    expect([...complaints, ...list.complaints]).toEqual([]);
  });

  it("creates a box with labels, a lifetime and a secret that nobody sees", async () => {
    const { page, complaints } = await dashboard.open("/create");
    await page.getByLabel("Name", { exact: true }).fill("labelled");
    await page.getByLabel("Memory, MB").fill("256");
    for (const more of await page.locator("summary").all()) await more.click();
    await page.getByLabel("Secret environment").fill("TOKEN=hush");
    await page.getByLabel("Labels").fill("-bad=1");
    await page.getByText(/begin with a letter or digit/).waitFor({ timeout: soonMs });
    await page.getByLabel("Labels").fill("team=red");
    await page.getByLabel("Expires after").fill("2h");
    await page.getByRole("button", { name: "removed" }).click();
    expect(await page.getByRole("figure", { name: "CLI code" }).innerText()).toContain(
      "boxrun create base --memory 256 --name labelled --secret-env TOKEN --label team=red --ttl 2h --rm",
    );
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "labelled" }).waitFor({ timeout: bootMs });
    expect(await dashboard.server.http.getBox("labelled")).toMatchObject({
      labels: { team: "red" },
      on_expiry: "remove",
      env: { TOKEN: "***" },
    });
    expect((await dashboard.server.http.run("labelled", ["sh", "-c", "echo $TOKEN"])).stdout).toBe("hush\n");
    expect(complaints).toEqual([]);
  });

  it("shows how far an image is while it is pulled, removes it, and takes one that is dropped", async () => {
    await using registry = await startRegistry();
    await using brake = await startBrake(registry.address);
    const digest = await registry.push("layers:1", { layers: [{ small: "one" }, { big: "x".repeat(3_000_000) }] });
    const { layers } = manifestSchema.parse(JSON.parse(await readFile(registry.blobFile(digest), "utf8")));
    const big = layers[1]?.digest ?? "";
    brake.hold(big, 1_000_000);

    const { page, complaints } = await dashboard.open("/images");
    const reference = `${brake.address}/layers:1`;
    await page.getByLabel("Image to pull").fill(reference, { timeout: soonMs });
    await page.getByRole("button", { name: "Pull" }).click();
    const progress = page.getByRole("progressbar", { name: big });
    await expect.poll(() => progress.getAttribute("value").catch(() => null), { timeout: bootMs }).toBe("1000000");
    brake.release();
    await page.getByText(`Pulled ${reference}.`).waitFor({ timeout: bootMs });
    await page.getByRole("button", { name: `Remove ${reference}`, exact: true }).click();
    const question = page.getByRole("dialog", { name: `Remove ${reference}?` });
    expect(await accessibilityFaults(page)).toEqual([]);
    await question.getByRole("button", { name: `Remove ${reference}` }).click();
    await expect.poll(() => page.getByRole("row", { name: reference }).count(), { timeout: soonMs }).toBe(0);

    const tar = join(directory, "image.tar");
    const from = ["--src-tls-verify=false", `docker://${registry.address}/layers:1`];
    await promisify(execFile)("skopeo", ["--insecure-policy", "copy", "-q", ...from, `oci-archive:${tar}:dropped:1`]);
    await drop(page, page.getByText(/^Drop a docker archive/), "image.tar", await readFile(tar));
    await page.getByRole("row", { name: /dropped:1/ }).waitFor({ timeout: bootMs });
    expect(complaints).toEqual([]);
  });

  it("says so when a part of it fails, and goes on elsewhere", async () => {
    const { page } = await dashboard.open("/boxes");
    await page.getByRole("row", { name: "dev" }).waitFor({ timeout: soonMs });
    // In one turn of the page's: the list too is drawn anew every ten seconds, and would be what fails.
    const { id } = await dashboard.server.http.getBox("dev");
    await page.evaluate(`
      Object.defineProperty(Intl.DateTimeFormat.prototype, "format", { get() { throw new Error("no clock"); } });
      location.hash = ${JSON.stringify(`/boxes/${id}`)};
    `);
    await page.getByRole("alert").getByText("no clock").waitFor({ timeout: soonMs });
    await page.getByRole("link", { name: "Run", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Run" }).waitFor({ timeout: soonMs });
    await expect.poll(() => page.getByRole("alert").count(), { timeout: soonMs }).toBe(0);
  });

  it("has nothing for axe to find on any page, in light and dark and on a phone, nor in what opens over them", async () => {
    const { id } = await dashboard.server.http.getBox("dev");
    const places = [
      "/boxes",
      "/create",
      "/run",
      "/images",
      "/history",
      "/server",
      "/nowhere",
      ...["overview", "execs", "terminal", "files", "history", "settings"].map((tab) => `/boxes/${id}/${tab}`),
    ];
    const looks = {
      light: { colorScheme: "light" },
      dark: { colorScheme: "dark" },
      phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
    } as const;
    const faults: string[] = [];
    for (const [look, options] of Object.entries(looks)) {
      const { page } = await dashboard.open("/boxes", options);
      const check = async (what: string) => {
        await expect.poll(() => page.locator(".waiting").count(), { timeout: soonMs }).toBe(0);
        // The dark one has the same pages in other colors.
        const found = await accessibilityFaults(page, look === "dark" ? "colors" : "all");
        faults.push(...found.map((fault) => `${look} ${what}: ${fault}`));
      };
      const dialog = async (what: string, open: () => Promise<void>) => {
        await open();
        await page.locator("dialog[open]").waitFor({ timeout: soonMs });
        await check(what);
        await page.keyboard.press("Escape");
        await expect.poll(() => page.locator("dialog[open]").count(), { timeout: soonMs }).toBe(0);
      };
      for (const place of places) {
        await goTo(page, place);
        if (place === "/create") for (const more of await page.locator("summary").all()) await more.click();
        await check(place);
      }
      await goTo(page, "/boxes");
      await dialog("remove", async () => {
        await page.getByRole("button", { name: "More for dev" }).click();
        await page.getByRole("menuitem", { name: "Remove…" }).click();
      });
      await dialog("palette", () => page.keyboard.press("Control+k"));
      await dialog("keys", () => page.keyboard.press("?"));
      await goTo(page, `/boxes/${id}/overview`);
      await dialog("deadline", () => page.getByRole("button", { name: "Change when it expires" }).click());
      await goTo(page, `/boxes/${id}/files`);
      await dialog("folder", () => page.getByRole("button", { name: "Folder" }).click());
    }
    expect(faults).toEqual([]);
  });

  it("loads no more than 250 KB, packed, before the list of boxes is there", async () => {
    const { page } = await dashboard.open("/boxes");
    await page.getByText("Live").waitFor();
    const loaded = z
      .array(z.string())
      .parse(await page.evaluate('performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname)'));
    const files = new Set(loaded.filter((path) => path.startsWith("/ui/assets/")));
    const sizes = await Promise.all(
      [...files].map(async (path) => {
        const content = await readFile(
          new URL(`../../packages/dashboard/dist/${path.slice("/ui/".length)}`, import.meta.url),
        );
        return gzipSync(content, { level: 9 }).length;
      }),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    expect(bytes).toBeGreaterThan(50 * 1024);
    expect(bytes).toBeLessThan(250 * 1024);
  });

  it("does everything by keyboard, from the palette", async () => {
    const { page } = await dashboard.open("/images");
    await page.getByRole("heading", { name: "Images" }).waitFor();
    await page.keyboard.press("Control+k");
    const first = (name: RegExp) => page.getByRole("option", { name, selected: true }).waitFor({ timeout: soonMs });
    await page.getByPlaceholder("A box, a page, a command").fill("dev");
    await first(/^dev/);
    await page.keyboard.press("Enter");
    await page.getByPlaceholder("What to do with it").fill("open execs");
    await first(/^Open execs/);
    await page.keyboard.press("Enter");
    await page.getByLabel("Command to run").waitFor({ timeout: soonMs });
    await page.keyboard.press("Escape");
    await page.locator("body").press("g");
    await page.keyboard.press("b");
    await page.getByRole("row", { name: "dev" }).waitFor();
  });

  it("says that the server is gone, and is right again without a reload when it is back", async () => {
    const { page, complaints } = await dashboard.open("/boxes");
    await page.getByText("Live").waitFor();
    await page.evaluate("window.sameAsBefore = true");
    const { port } = dashboard;
    await dashboard.server.kill();
    await page.getByText("The server does not answer.").waitFor({ timeout: soonMs });
    await dashboard.server.restart(["--port", port]);
    await dashboard.server.http.json("POST", "/v1/boxes/dev:stop");
    await stateOf(page, "dev").getByText("stopped").waitFor({ timeout: bootMs });
    await page.getByText("Live").waitFor({ timeout: soonMs });
    await expect.poll(() => page.getByText("The server does not answer.").count(), { timeout: soonMs }).toBe(0);
    expect(await page.evaluate("window.sameAsBefore")).toBe(true);
    expect(complaints).toEqual([]);
  });
});
