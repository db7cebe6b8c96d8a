import type { ComponentProps, MouseEvent } from "react";
import styles from "./Button.module.css";

interface Props extends ComponentProps<"button"> {
  look?: "primary" | "plain" | "quiet";
}

// stops the submission of a form as well, also the one by Enter in a field
const refuse = (event: MouseEvent) => event.preventDefault();

/** A button that cannot be pressed now keeps the focus: a keyboard is still there when it can be pressed again. */
export function Button({ look = "plain", className = "", type = "button", disabled = false, onClick, ...rest }: Props) {
  return (
    <button
      {...rest}
      // oxlint-disable-next-line react/button-has-type -- the default is above
      type={type}
      aria-disabled={disabled || undefined}
      onClick={disabled ? refuse : onClick}
      className={`${styles.button} ${styles[look] ?? ""} ${className}`}
    />
  );
}

/** For a link that stands among buttons. */
export const buttonLook = `${styles.button} ${styles.plain ?? ""}`;
