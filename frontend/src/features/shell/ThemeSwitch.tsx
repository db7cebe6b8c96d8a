import { chooseTheme, useTheme } from "../../state/theme";
import { Icon } from "../../ui/Icon";
import { Segmented } from "../../ui/Segmented";

const CHOICES = [
  { value: "system", label: "System theme", icon: <Icon name="screen" /> },
  { value: "light", label: "Light theme", icon: <Icon name="sun" /> },
  { value: "dark", label: "Dark theme", icon: <Icon name="moon" /> },
] as const;

export function ThemeSwitch() {
  return <Segmented label="Theme" value={useTheme()} choices={CHOICES} onChange={chooseTheme} />;
}
