import { createStore, type Store, useStore } from "./store.ts";

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** `42s`, `5m 3s`, `3h 12m`, `12d 4h`: the two largest units. */
export function durationText(ms: number): string {
  let rest = Math.max(0, Math.floor(ms / 1000));
  const parts: string[] = [];
  for (const [name, seconds] of units) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 || (parts.length === 0 && name === "s")) parts.push(`${count}${name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

const unitSeconds: Readonly<Record<string, number>> = Object.fromEntries(units);

/** Of `90`, `90s`, `5m`, `1h30m`, `2d`, whole ones; NaN for anything else. */
export function secondsOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return Number.NaN;
  return Math.ceil(parts.reduce((sum, [, count, unit = "s"]) => sum + Number(count) * (unitSeconds[unit] ?? 0), 0));
}

/** `1h30m`: as `secondsOf` reads it, and the command line. */
export function secondsText(seconds: number): string {
  let rest = seconds;
  const parts = units.map(([name, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? "" : `${count}${name}`;
  });
  return parts.join("") || "0s";
}

/** As `durationText`, but the largest unit alone; below a second in milliseconds. */
export function shortDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)}s`;
  return durationText(ms);
}

export function ageText(since: string, nowMs: number): string {
  const ms = nowMs - Date.parse(since);
  return ms < 5_000 ? "now" : (durationText(ms).split(" ")[0] ?? "");
}

/** Made when it is first needed: that takes a browser longer than drawing a table does. */
let absolute: Intl.DateTimeFormat | undefined;
let clock: Intl.DateTimeFormat | undefined;

export function dateText(timestamp: string): string {
  absolute ??= new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return absolute.format(new Date(timestamp));
}

export function clockText(timestamp: string): string {
  clock ??= new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  return clock.format(new Date(timestamp));
}

/** Milliseconds since 1970, one clock for all who show an age; it stands still while nobody looks. */
function ticking(everyMs: number): Pick<Store<number>, "get" | "subscribe"> {
  const now = createStore(Date.now());
  let watchers = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    get: now.get,
    subscribe(listener) {
      const stop = now.subscribe(listener);
      watchers += 1;
      if (watchers === 1) timer = setInterval(() => now.set(Date.now()), everyMs);
      return () => {
        stop();
        watchers -= 1;
        if (watchers === 0) clearInterval(timer);
      };
    },
  };
}

const everySecond = ticking(1_000);
const everyTenSeconds = ticking(10_000);

export function useNow(every: "second" | "ten-seconds" = "ten-seconds"): number {
  return useStore(every === "second" ? everySecond : everyTenSeconds);
}
