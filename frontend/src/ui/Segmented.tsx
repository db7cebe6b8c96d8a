import { useId, type ReactNode } from "react";
import styles from "./Segmented.module.css";

interface Choice<T extends string> {
  value: T;
  label: string;
  /** Shown instead of the label, which is then its accessible name. */
  icon?: ReactNode;
}

interface Props<T extends string> {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
}

/** One of a few: radio buttons that look like one control, with the keyboard of radio buttons. */
export function Segmented<T extends string>({ label, value, choices, onChange }: Props<T>) {
  const group = useId();
  return (
    <fieldset className={styles.segmented}>
      <legend className="visually-hidden">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} title={choice.icon === undefined ? undefined : choice.label}>
          <input
            type="radio"
            name={group}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span className={choice.icon === undefined ? undefined : "visually-hidden"}>{choice.label}</span>
          {choice.icon}
        </label>
      ))}
    </fieldset>
  );
}
