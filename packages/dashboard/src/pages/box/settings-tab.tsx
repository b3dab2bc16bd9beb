import type { Box } from "boxrun-sdk";
import { CodeBlock } from "../../ui/code-block.tsx";

/** The box as the API says it. */
export function SettingsTab({ box }: { readonly box: Box }) {
  return <CodeBlock label="box" text={JSON.stringify(box, null, 2)} />;
}
