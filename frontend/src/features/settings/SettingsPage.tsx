import { Page } from "../../ui/Page";
import { Teams } from "./Teams";
import { Tokens } from "./Tokens";

export function SettingsPage() {
  return (
    <Page title="Settings">
      <Tokens />
      <Teams />
    </Page>
  );
}
