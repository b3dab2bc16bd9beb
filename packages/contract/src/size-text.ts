const perMegabyte: Readonly<Record<string, number>> = { m: 1, g: 1024, t: 1024 * 1024 };

/** MB of a size as people type it: `512m`, `1.5g`, `1t`, or a number of `plain`. `m`, `mb` and `mib` are one here, as in docker. `undefined` for anything else. */
export function sizeInMegabytes(text: string, plain: "m" | "g"): number | undefined {
  const [, number, unit = plain] = /^(\d+(?:\.\d+)?)(?:([mgt])(?:i?b)?)?$/i.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (perMegabyte[unit.toLowerCase()] ?? Number.NaN);
}
