import { Page } from "../../ui/Page";
import { OwnPassword } from "./OwnPassword";
import { Teams } from "./Teams";
import { Tokens } from "./Tokens";
import { Users } from "./Users";
import { Webhooks } from "./Webhooks";

export function SettingsPage() {
  return (
    <Page title="Settings">
      <Tokens />
      <OwnPassword />
      <Webhooks />
      <Users />
      <Teams />
    </Page>
  );
}
