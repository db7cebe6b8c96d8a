import { useEffect, useState } from "react";
import { Button } from "./Button";
import { Icon } from "./Icon";

const SAID_FOR_MS = 2_000;

/** Puts text on the clipboard and says whether that worked. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return undefined;
    const timer = setTimeout(() => setSaid(""), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [said]);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Not allowed here; select and copy");
    }
  };

  return (
    <Button look="quiet" onClick={() => void copy()} aria-label={label} title={label}>
      <Icon name={said === "Copied" ? "check" : "copy"} />
      <span role="status">{said}</span>
    </Button>
  );
}
