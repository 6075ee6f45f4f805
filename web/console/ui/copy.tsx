import { useEffect, useState } from "react";

import { Button, IconButton } from "./button";
import { toast } from "./toast";

async function write(text: string) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over HTTP without TLS, browsers do not provide navigator.clipboard.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    const before = document.activeElement;
    (before?.closest("[role=dialog], [role=alertdialog]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}

/** An icon button that copies a text. `what` names it, for example "ref". */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, copy] = useCopy(text, what);
  return <IconButton icon={copied ? "check" : "copy"} label={`Copy ${what}`} onPress={copy} />;
}

/** A text button that copies a text. */
export function CopyTextButton({ text, what }: { text: string; what: string }) {
  const [copied, copy] = useCopy(text, what);
  return (
    <Button icon={copied ? "check" : "copy"} onPress={copy}>
      Copy {what}
    </Button>
  );
}

function useCopy(text: string, what: string) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(setCopied, 1_500, false);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => {
    void write(text);
    setCopied(true);
    toast(`Copied the ${what}`);
  };
  return [copied, copy] as const;
}
