import { useEffect, useState } from "react";
import { say } from "../state/said";
import { Button } from "./Button";
import { Icon } from "./Icon";

const SHOWN_FOR_MS = 2_000;

/** Puts text on the clipboard and says whether that worked. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [shown, setShown] = useState("");
  useEffect(() => {
    if (shown === "") return undefined;
    const timer = setTimeout(() => setShown(""), SHOWN_FOR_MS);
    return () => clearTimeout(timer);
  }, [shown]);

  const tell = (words: string) => {
    setShown(words);
    say(words);
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied");
    } catch {
      tell("Not allowed here; select and copy");
    }
  };

  return (
    <Button look="quiet" onClick={() => void copy()} aria-label={label} title={label}>
      <Icon name={shown === "Copied" ? "check" : "copy"} />
      <span>{shown}</span>
    </Button>
  );
}
