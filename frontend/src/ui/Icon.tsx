/** Our few icons, drawn on a 16×16 grid. They are decoration: the word beside each carries the meaning. */

const PATHS = {
  check: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm3.2 4.9-3.9 4.2L4.9 8.2",
  half: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 0v13",
  triangle: "M8 1.8 15 14H1L8 1.8ZM8 6.3v3.4m0 1.9v.4",
  pause: "M2 2h12v12H2V2Zm4.2 3.5v5m3.6-5v5",
  hollow: "M2 2h3m3 0h3m3 0v3m0 3v3m0 3h-3m-3 0H5m-3 0v-3m0-3V5",
  question: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM6.1 6.3c0-2.5 3.9-2.5 3.9 0 0 1.4-2 1.5-2 3.1m0 1.7v.4",
  synced: "M13.5 6.5A5.8 5.8 0 0 0 3 5m-.5-3v3.3h3.3M2.5 9.5A5.8 5.8 0 0 0 13 11m.5 3v-3.3h-3.3",
  diamond: "M8 1.2 14.8 8 8 14.8 1.2 8 8 1.2ZM5.5 6.8h5m-5 2.5h5",
  copy: "M5.5 5.5h8v8h-8v-8Zm-1.5 5H2.5v-8h8V4",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5m0 11V15M1 8h1.5m11 0H15M3 3l1.1 1.1m7.8 7.8L13 13m0-10-1.1 1.1M4.1 11.9 3 13",
  moon: "M13.5 9.8A6 6 0 0 1 6.2 2.5 6 6 0 1 0 13.5 9.8Z",
  screen: "M1.5 2.5h13v8.5h-13V2.5ZM5.5 14h5M8 11v3",
  table: "M2 2.5h12v11H2v-11Zm0 3.7h12M2 9.9h12M6.5 2.5v11",
  chart: "M2 2v12h12M4.5 11l3-4 2.5 2 3.5-5",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10m-4-4 4 4 4-4",
  search: "M7 2.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6Zm3.5 8.3 3.3 3.3",
  close: "m3.5 3.5 9 9m0-9-9 9",
  plus: "M8 2.5v11M2.5 8h11",
  minus: "M2.5 8h11",
  change: "M2.5 11.2 10.9 2.8l2.3 2.3-8.4 8.4H2.5v-2.3Z",
  right: "M6 3.5 10.5 8 6 12.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round">
      <path d={PATHS[name]} />
    </svg>
  );
}
