/** Names of cached answers. The first parts address what an event of the stream invalidates. */

export const keys = {
  session: ["session"] as const,
  fleet: ["fleet"] as const,
  pools: ["pool"] as const,
  pool: (team: string, name: string) => ["pool", team, name] as const,
  poolObject: (team: string, name: string) => ["pool", team, name, "object"] as const,
  poolYaml: (team: string, name: string) => ["pool", team, name, "yaml"] as const,
  replicas: (team: string, name: string) => ["pool", team, name, "replicas"] as const,
  events: (team: string, name: string) => ["pool", team, name, "events"] as const,
  /** Charts poll; they are no part of `pool`, so that a burst of events does not redraw them. */
  panels: ["panel"] as const,
  panelList: (team: string, name: string) => ["panel-list", team, name] as const,
  panel: (team: string, name: string, panel: string, rangeSeconds: number) =>
    ["panel", team, name, panel, rangeSeconds] as const,
};
