import { Page } from "../../ui/Page";
import { Teams } from "./Teams";
import { Tokens } from "./Tokens";
import { Webhooks } from "./Webhooks";

export function SettingsPage() {
  return (
    <Page title="Settings">
      <Tokens />
      <Webhooks />
      <Teams />
    </Page>
  );
}
