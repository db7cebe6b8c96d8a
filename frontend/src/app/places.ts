/** The pages that the menu and the palette lead to, in the order in which an on-call person needs them. */

export const PLACES = [
  { to: "/", title: "Fleet" },
  { to: "/timeline", title: "Timeline" },
  { to: "/slos", title: "SLOs" },
  { to: "/decisions", title: "Decisions" },
  { to: "/whatif", title: "What if" },
  { to: "/models", title: "Models" },
  { to: "/clusters", title: "Clusters" },
  { to: "/playground", title: "Playground" },
  { to: "/settings", title: "Settings" },
] as const;

export const POOL_TABS = [
  { to: "/teams/$team/pools/$name", title: "Overview" },
  { to: "/teams/$team/pools/$name/latency", title: "Latency" },
  { to: "/teams/$team/pools/$name/cache", title: "Cache" },
  { to: "/teams/$team/pools/$name/scaling", title: "Scaling" },
  { to: "/teams/$team/pools/$name/offload", title: "Offload" },
  { to: "/teams/$team/pools/$name/load", title: "Load" },
  { to: "/teams/$team/pools/$name/objects", title: "Objects" },
  { to: "/teams/$team/pools/$name/rollout", title: "Rollout" },
  { to: "/teams/$team/pools/$name/revisions", title: "Revisions" },
  { to: "/teams/$team/pools/$name/yaml", title: "YAML" },
] as const;
