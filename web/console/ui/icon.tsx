// Paths for a view box of 20 by 20 with a stroke width of 1.6.
const PATHS = {
  alert: "M10 6.5v4.2M10 13.4v.1M10 2.8 18 16.6H2z",
  attributes: "M3.5 10.2V4.5a1 1 0 0 1 1-1h5.7l6.3 6.3a1 1 0 0 1 0 1.4l-5.3 5.3a1 1 0 0 1-1.4 0zM7 7v.1",
  check: "m4 10.5 4 4 8-9",
  "chevron-down": "m5 7.5 5 5 5-5",
  "chevron-left": "m12 5-5 5 5 5",
  "chevron-right": "m8 5 5 5-5 5",
  close: "m5 5 10 10M15 5 5 15",
  columns: "M3.5 4h13v12h-13zM8 4v12M12.3 4v12",
  copy: "M7 7h9.5v9.5H7zM13 7V3.5H3.5V13H7",
  filter: "M3 5h14M5.5 10h9M8 15h4",
  first: "M14.5 5l-5 5 5 5M5.5 5v10",
  import: "M10 3v9.5m0 0L6.2 8.7M10 12.5l3.8-3.8M3.5 13v3.5h13V13",
  memberbase: "M3.5 5.5C3.5 4.1 6.4 3 10 3s6.5 1.1 6.5 2.5S13.6 8 10 8 3.5 6.9 3.5 5.5v9C3.5 15.9 6.4 17 10 17s6.5-1.1 6.5-2.5v-9M3.5 10c0 1.4 2.9 2.5 6.5 2.5s6.5-1.1 6.5-2.5",
  members: "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2 16.5c0-3 2.2-4.7 5.5-4.7s5.5 1.7 5.5 4.7M13 3.7a3 3 0 0 1 0 5.6M14.6 12.2c2.2.5 3.4 2 3.4 4.3",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  more: "M4.5 10h.1M10 10h.1M15.5 10h.1",
  pencil: "m4 16 .8-3.6L13.3 4l2.8 2.8-8.5 8.4z",
  plus: "M10 4v12M4 10h12",
  refresh: "M16 10a6 6 0 1 1-1.8-4.3L16 7.5M16 3.5v4h-4",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11M13 13l4 4",
  "sign-out": "M8 3.5H3.5v13H8M8 10h9m0 0-3.5-3.5M17 10l-3.5 3.5",
  sync: "M4 8.5A6.2 6.2 0 0 1 15.5 7M16 3.5V7h-3.5M16 11.5A6.2 6.2 0 0 1 4.5 13M4 16.5V13h3.5",
  token: "M12.7 11.8a4.5 4.5 0 1 0-4.5-4.5c0 .5.1.9.2 1.3L3 14v3h3v-2h2v-2l1.6-1.6c.9.3 2 .4 3.1.4M13.5 6.5v.1",
  trash: "M3.5 5.5h13M8 5.5V3.5h4v2M5.5 5.5l.7 11h7.6l.7-11M8.5 9v4.5M11.5 9v4.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" aria-hidden="true">
      <path d={PATHS[name]} stroke="currentColor" strokeWidth={name === "more" ? 2.4 : 1.6} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
