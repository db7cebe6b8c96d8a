import type { QueryClient } from "@tanstack/react-query";
import { fleetQuery } from "../api/queries";

/** Asks for what the first page needs while the session is still checked, instead of one after the other. */
export function ahead(client: QueryClient, pathname: string): void {
  if (pathname !== "/") return;
  void import("../features/fleet/FleetPage");
  void client.prefetchQuery(fleetQuery);
}
