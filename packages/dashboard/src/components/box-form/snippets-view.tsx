import type { CreateBoxInput } from "boxrun-sdk";
import { useState } from "react";
import { baseUrl } from "../../api/client.ts";
import { Choice } from "../../ui/choice.tsx";
import { CodeBlock } from "../../ui/code-block.tsx";
import { createCommand, createPython, createTypeScript } from "./snippets.ts";

const languages = ["CLI", "TypeScript", "Python"] as const;
type Language = (typeof languages)[number];

function snippetOf(language: Language, input: CreateBoxInput): string {
  if (language === "CLI") return createCommand(input);
  return language === "TypeScript" ? createTypeScript(input, baseUrl) : createPython(input);
}

/** What the form does, as one would do it elsewhere. */
export function SnippetsView({ input }: { readonly input: CreateBoxInput }) {
  const [language, setLanguage] = useState<Language>("CLI");
  return (
    <div className="snippets">
      <Choice label="Language" names={languages} chosen={language} onChoose={setLanguage} />
      <CodeBlock label={`${language} code`} text={snippetOf(language, input)} />
    </div>
  );
}
