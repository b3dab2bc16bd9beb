import { execFileSync } from "node:child_process";
import { stripTypeScriptTypes } from "node:module";
import { openApiDocument } from "@boxrun/contract";
import { Ajv2020 } from "ajv/dist/2020.js";

/** Throws for what is not in the language that it says to be in. */
export function read(language: string, text: string): void {
  switch (language) {
    case "json":
      JSON.parse(text);
      return;
    case "ts":
      stripTypeScriptTypes(text);
      return;
    case "sh":
      pipe("bash", ["-n"], text);
      return;
    case "python":
      pipe("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], text);
      return;
    case "toml":
      pipe("python3", ["-c", "import sys, tomllib; tomllib.loads(sys.stdin.read())"], text);
      return;
    default:
      throw new Error(`nothing here reads ${language}`);
  }
}

function pipe(program: string, args: readonly string[], input: string): void {
  execFileSync(program, args, { input, stdio: ["pipe", "ignore", "pipe"] });
}

let ajv: Ajv2020 | undefined;

/** Throws for what the API's schema of this name does not take. */
export function holdAgainst(schema: string, text: string): void {
  ajv ??= new Ajv2020({ strict: false, validateFormats: false }).addSchema(openApiDocument("0"), "api");
  const validate = ajv.getSchema(`api#/components/schemas/${schema}`);
  if (validate === undefined) throw new Error(`the API has no schema ${schema}`);
  if (!validate(JSON.parse(text))) throw new Error(ajv.errorsText(validate.errors));
}
