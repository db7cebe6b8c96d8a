import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { poolQuery } from "../../api/queries";
import type { Pool } from "../../api/types";

const route = getRouteApi("/shell/teams/$team/pools/$name");

/** The pool that the page is about; its page shows its parts only once it is there. */
export function usePool(): Pool {
  const { team, name } = route.useParams();
  const { data } = useQuery(poolQuery(team, name));
  if (data === undefined) throw new Error(`pool ${team}/${name} is shown before it is loaded`);
  return data;
}
