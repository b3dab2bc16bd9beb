import { useEffect, useState } from "react";
import { IconButton } from "./button.tsx";

const saidMs = 1_500;

function useCopied(): readonly [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), saidMs);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (text: string) => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return [copied, copy];
}

export function CopyIcon({ text, label }: { readonly text: string; readonly label: string }) {
  const [copied, copy] = useCopied();
  return <IconButton icon={copied ? "check" : "copy"} label={copied ? "Copied" : label} onClick={() => copy(text)} />;
}
