import { join } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractOptions from "dependency-cruiser/config-utl/extract-depcruise-options";

/**
 * Reads every import below `folders` of `baseDir` and holds it against the rules of .dependency-cruiser.cjs in `configDir`.
 * Violations are in `summary.violations` of the result; nothing is printed.
 */
export async function cruiseImports(configDir: string, baseDir: string, folders: string[]): Promise<ICruiseResult> {
  const options = await extractOptions(join(configDir, ".dependency-cruiser.cjs"));
  const { output } = await cruise(folders, { ...options, baseDir, outputType: "json", validate: true });
  const text = typeof output === "string" ? output : JSON.stringify(output);
  const result: ICruiseResult = JSON.parse(text);
  return result;
}
