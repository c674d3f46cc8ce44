// Times as people say them, in their own zone and language.

import { createSignal } from "solid-js";
import { locale } from "../i18n";

/** As the page's language has it; made when it is first wanted. */
const format = (options: Intl.DateTimeFormatOptions): ((time: Date) => string) => {
  let made: { of: string; by: Intl.DateTimeFormat } | undefined;
  return (time) => {
    const of = locale();
    if (made?.of !== of) made = { of, by: new Intl.DateTimeFormat(of, options) };
    return made.by.format(time);
  };
};
const HOUR = format({ hour: "numeric", minute: "2-digit" });
const WEEKDAY = format({ weekday: "short" });
const DAY = format({ weekday: "long", day: "numeric", month: "long" });
const DAY_OF_YEAR = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = format({ day: "numeric", month: "short" });
const SHORT_DAY_OF_YEAR = format({ day: "numeric", month: "numeric", year: "2-digit" });
const DATE = format({ dateStyle: "medium" });
const FULL = format({ dateStyle: "full", timeStyle: "short" });

const DAY_MS = 86_400_000;

/** When this day began: what is said of days follows it. */
const [today, setToday] = createSignal(new Date().setHours(0, 0, 0, 0));

/** Follows the calendar, also of a machine that has slept. */
export const startDays = (): void => {
  const look = (): void => {
    clearTimeout(timer);
    setToday(new Date().setHours(0, 0, 0, 0));
    timer = setTimeout(look, new Date().setHours(24, 0, 0, 0) - Date.now());
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", look);
  look();
};

/** Days between two times, as the calendar of this place counts them. */
const daysAgo = (time: Date): number => Math.round((today() - new Date(time).setHours(0, 0, 0, 0)) / DAY_MS);

export const sameDay = (a: string, b: string): boolean => new Date(a).setHours(0, 0, 0, 0) === new Date(b).setHours(0, 0, 0, 0);

export const clock = (time: string | number): string => HOUR(new Date(time));

/** Above the messages of a day. */
export const dayName = (time: string): string => {
  const date = new Date(time);
  const ago = daysAgo(date);
  if (ago === 0 || ago === 1) {
    const word = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-ago, "day");
    return word.charAt(0).toLocaleUpperCase(locale()) + word.slice(1);
  }
  const sameYear = date.getFullYear() === new Date(today()).getFullYear();
  return (sameYear ? DAY : DAY_OF_YEAR)(date);
};

/** In the list: a time today, a weekday this week, else a date. */
export const short = (time: string | number): string => {
  const date = new Date(time);
  const ago = daysAgo(date);
  if (ago <= 0) return clock(time);
  if (ago < 7) return WEEKDAY(date);
  const sameYear = date.getFullYear() === new Date(today()).getFullYear();
  return (sameYear ? SHORT_DAY : SHORT_DAY_OF_YEAR)(date);
};

export const full = (time: string): string => FULL(new Date(time));
export const date = (time: string): string => DATE(new Date(time));

/** How long ago. */
export const ago = (time: string, now = Date.now()): string => {
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (seconds < 60) return relative.format(0, "minute");
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3600), "hour");
  if (seconds < 30 * 86_400) return relative.format(-Math.floor(seconds / 86_400), "day");
  return date(time);
};
