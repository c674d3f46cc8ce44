// Icons, drawn with one pen: 24 by 24, strokes of 1.75.

import { Show, type JSX } from "solid-js";

const icon = (paths: () => JSX.Element) => () => (
  <svg class="icon" viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    {paths()}
  </svg>
);

export const Back = icon(() => <path d="M15 5l-7 7 7 7" />);
export const Close = icon(() => <path d="M6 6l12 12M18 6L6 18" />);
export const Pencil = icon(() => <path d="M4 20l1-4L16 5l3 3L8 19l-4 1zM14 7l3 3" />);
export const Plus = icon(() => <path d="M12 5v14M5 12h14" />);
export const Search = icon(() => (
  <>
    <circle cx="11" cy="11" r="6.5" />
    <path d="M16 16l4 4" />
  </>
));
export const Info = icon(() => (
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 11v5M12 8v.01" />
  </>
));
export const Gear = icon(() => (
  <>
    <circle cx="12" cy="12" r="3" />
    <path d="M10.2 5.3L10.4 2.9L13.6 2.9L13.8 5.3L15.4 6L17.3 4.5L19.5 6.7L18 8.6L18.7 10.2L21.1 10.4L21.1 13.6L18.7 13.8L18 15.4L19.5 17.3L17.3 19.5L15.4 18L13.8 18.7L13.6 21.1L10.4 21.1L10.2 18.7L8.6 18L6.7 19.5L4.5 17.3L6 15.4L5.3 13.8L2.9 13.6L2.9 10.4L5.3 10.2L6 8.6L4.5 6.7L6.7 4.5L8.6 6z" />
  </>
));
export const Send = icon(() => <path d="M12 19V5M6 11l6-6 6 6" />);
export const Down = icon(() => <path d="M12 5v14M6 13l6 6 6-6" />);
export const Check = icon(() => <path d="M5 12.5l4.5 4.5L19 7.5" />);
export const Clock = icon(() => (
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2" />
  </>
));
export const Alert = icon(() => (
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5v5M12 16v.01" />
  </>
));
export const Dots = icon(() => <path d="M6 12h.01M12 12h.01M18 12h.01" stroke-width="2.75" />);
export const Person = icon(() => (
  <>
    <circle cx="12" cy="8" r="3.5" />
    <path d="M5 20c.5-4 3.5-6 7-6s6.5 2 7 6" />
  </>
));
export const People = icon(() => (
  <>
    <circle cx="9" cy="8.5" r="3" />
    <path d="M3 19c.4-3.4 3-5 6-5s5.6 1.6 6 5M15.5 5.8a3 3 0 010 5.4M17.5 14.3c2 .7 3.3 2.200 3.5 4.7" />
  </>
));
export const Hash = icon(() => <path d="M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16" />);
/** Of groups and channels: what stands before their names. */
export const KindIcon = (props: { kind: "direct" | "group" | "channel" | undefined }) => (
  <Show when={props.kind !== undefined && props.kind !== "direct"}>
    <span class="kind">{props.kind === "channel" ? <Hash /> : <People />}</span>
  </Show>
);
export const Camera = icon(() => (
  <>
    <path d="M4 8h3.5L9 5.5h6L16.5 8H20v11H4z" />
    <circle cx="12" cy="13" r="3.25" />
  </>
));
export const Eye = icon(() => (
  <>
    <path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z" />
    <circle cx="12" cy="12" r="2.75" />
  </>
));
export const EyeOff = icon(() => <path d="M4 4l16 16M9.5 6A9 9 0 0112 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 01-3 3.7M6 7.5A16 16 0 002.5 12s3.5 6.5 9.5 6.5a9 9 0 004-1" />);

/** The mark: cells of a comb. */
export const Mark = (props: { size?: number }) => (
  <svg class="mark" viewBox="0 0 64 64" width={props.size ?? 40} height={props.size ?? 40} aria-hidden="true">
    <path class="mark-1" d="M32 4l12 7v14l-12 7-12-7V11z" />
    <path class="mark-2" d="M18 29l12 7v14l-12 7-12-7V36z" />
    <path class="mark-3" d="M46 29l12 7v14l-12 7-12-7V36z" />
  </svg>
);
