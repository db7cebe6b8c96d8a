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
  panel: (team: string, name: string, panel: string, stretch: string) => ["panel", team, name, panel, stretch] as const,
  objects: (team: string, name: string) => ["pool", team, name, "objects"] as const,
  revisions: (team: string, name: string) => ["pool", team, name, "revisions"] as const,
  timeline: ["timeline"] as const,
  /** Lists and objects of the other kinds, by plural. */
  kind: (plural: string) => ["kind", plural] as const,
  object: (plural: string, team: string, name: string) => ["kind", plural, team, name] as const,
  accelerators: ["accelerators"] as const,
  decisions: ["decisions"] as const,
  alerts: ["alerts"] as const,
  loads: (team: string, name: string) => ["loads", team, name] as const,
  tokens: ["tokens"] as const,
  users: ["users"] as const,
  teams: ["teams"] as const,
  members: (team: string) => ["teams", team, "members"] as const,
};
