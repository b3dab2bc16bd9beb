export interface Sample {
  readonly name: string;
  readonly value: number;
}

/** The samples of a text in Prometheus' format, without their labels. */
export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const { name, value } = /^(?<name>[A-Za-z_:][\w:]*)(?:\{.*\})? (?<value>\S+)/.exec(line)?.groups ?? {};
    return name === undefined || value === undefined || Number.isNaN(Number(value))
      ? []
      : [{ name, value: Number(value) }];
  });
}
