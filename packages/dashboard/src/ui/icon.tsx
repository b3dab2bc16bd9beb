import "./icon.css";

/** Drawn on 16 × 16, lines of 1.5. */
const paths = {
  boxes: "M2.5 5 8 2l5.5 3v6L8 14l-5.5-3zM2.7 5.2 8 8l5.3-2.8M8 8v5.8",
  run: "M5 3.2v9.6L12.8 8z",
  images: "M8 2 14 5 8 8 2 5zM2.5 8 8 10.8 13.5 8M2.5 11 8 13.8 13.5 11",
  server: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  history: "M2.5 8a5.5 5.5 0 1 0 1.7-4M2.5 2.5V5H5M8 5v3.2l2.2 1.3",
  plus: "M8 3v10M3 8h10",
  stop: "M4 4h8v8H4z",
  trash: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.6 7v4M9.4 7v4",
  more: "M8 3.5h.01M8 8h.01M8 12.5h.01",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 13.5 13.5",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.5v8M4.8 7.5 8 10.7l3.2-3.2M3 13.5h10",
  upload: "M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M3 13.5h10",
  terminal: "M2 3h12v10H2zM4.5 6l2 2-2 2M8 10.5h3",
  file: "M4 2h5l3.5 3.5V14H4zM9 2v3.5h3.5",
  folder: "M2 4h4.2l1.5 1.5H14V13H2z",
  link: "M6.5 9.5l3-3M7 4.5l1-1a2.9 2.9 0 0 1 4.2 4.2l-1 1M9 11.5l-1 1A2.9 2.9 0 0 1 3.8 8.3l1-1",
  up: "M8 13V3.5M4 7l4-4 4 4",
  down: "M8 3v9.5M4 9l4 4 4-4",
  right: "M6 3.5 10.5 8 6 12.5",
  again: "M13 8a5 5 0 1 1-1.5-3.5M13 2.5V5h-2.5",
  edit: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2z",
  warning: "M8 2.5 14 13H2zM8 6.5v3M8 11.3h.01",
  keyboard: "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6",
  settings: "M3 4.5h6M12 4.5h1M3 11.5h1M7 11.5h6M10.5 3v3M5.5 10v3",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
