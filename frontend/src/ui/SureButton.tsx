import { useState, type ReactNode } from "react";
import { Button } from "./Button";

interface Props {
  /** What the first press is called for those who do not see the row. */
  label: string;
  children: ReactNode;
  /** What the second press says. */
  sure: string;
  onSure: () => void;
}

/** Two presses for what cannot be taken back; going elsewhere takes the first one back. Done once, it asks again: by then the same place may do the opposite. */
export function SureButton({ label, children, sure, onSure }: Props) {
  const [asked, setAsked] = useState(false);
  if (!asked)
    return (
      <Button onClick={() => setAsked(true)} aria-label={label}>
        {children}
      </Button>
    );
  return (
    <Button
      ref={(button) => button?.focus()}
      onClick={() => {
        setAsked(false);
        onSure();
      }}
      onBlur={() => setAsked(false)}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        setAsked(false);
      }}
    >
      {sure}
    </Button>
  );
}
