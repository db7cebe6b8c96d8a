import type { ComponentProps } from "react";
import styles from "./Button.module.css";

interface Props extends ComponentProps<"button"> {
  look?: "primary" | "plain" | "quiet";
}

export function Button({ look = "plain", className = "", type = "button", ...rest }: Props) {
  // oxlint-disable-next-line react/button-has-type -- the default is above
  return <button {...rest} type={type} className={`${styles.button} ${styles[look]} ${className}`} />;
}

/** For a link that stands among buttons. */
export const buttonLook = `${styles.button} ${styles.plain ?? ""}`;
