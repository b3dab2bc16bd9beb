import { sizeInMegabytes } from "@boxrun/contract/plain";
import { InvalidArgumentError } from "commander";

/** Values with a unit, as people type them; a plain number has the unit that it had in 0.3. What they refuse is a usage error. */

/** Whole MB of `512`, `512m`, `1.5g`. */
export function megabytes(text: string): number {
  const value = sizeInMegabytes(text, "m");
  if (value === undefined || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("It must be a whole number of MB above 0, or have a unit: 512, 512m, 2g.");
  }
  return value;
}

/** Whole GB of `20`, `20g`, `1t`, `2048m`. */
export function gigabytes(text: string): number {
  const value = (sizeInMegabytes(text, "g") ?? Number.NaN) / 1024;
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("It must be a whole number of GB above 0, or have a unit: 20, 20g, 1t.");
  }
  return value;
}

const perSecond: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const durationForms = "90, 90s, 5m, 1h, 1h30m";

/** Seconds of `90`, `0.5`, `90s`, `5m`, `1h30m`, `2d`, `1w`; above 0. */
export function seconds(text: string): number {
  const value = secondsFromZero(text);
  if (value === 0)
    throw new InvalidArgumentError(`It must be a time above 0, in seconds or with a unit: ${durationForms}.`);
  return value;
}

/** As `seconds`, rounded up to whole ones. */
export function wholeSeconds(text: string): number {
  return Math.ceil(seconds(text));
}

export function secondsFromZero(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new InvalidArgumentError(`It must be a time in seconds, or with a unit: ${durationForms}.`);
  }
  return parts.reduce((sum, [, number, unit = "s"]) => sum + Number(number) * (perSecond[unit] ?? 0), 0);
}
