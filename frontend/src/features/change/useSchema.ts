import { queryOptions, useQuery } from "@tanstack/react-query";
import { request } from "../../api/client";
import type { Components } from "./complete";

const schemaQuery = queryOptions({
  queryKey: ["schema"],
  queryFn: ({ signal }) => request<{ components: { schemas: Components } }>("/schema", { signal, query: { format: "json" } }),
  staleTime: Infinity,
});

/** The schemas of all kinds, from the server itself; undefined until they are there. */
export function useSchema(): Components | undefined {
  return useQuery(schemaQuery).data?.components.schemas;
}
