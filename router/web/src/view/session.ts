// Who is logged in in this browser. Kept in local storage, so that all tabs see it; where that is refused, in memory.

import type { Route } from "../protocol";
import type { SignedIn } from "../net/http";

const KEY = "skep.session";

export type Session = { token: string; session_id: string; user_id: string; route: Route };

let inMemory: Session | null = null;

export const sessionOf = (answer: SignedIn): Session => ({
  token: answer.token,
  session_id: answer.session_id,
  user_id: answer.user.user_id,
  route: answer.route,
});

export const loadSession = (): Session | null => {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === null ? inMemory : (JSON.parse(kept) as Session);
  } catch {
    return inMemory;
  }
};

export const saveSession = (session: Session | null): void => {
  inMemory = session;
  try {
    if (session === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(session));
  } catch {
    // It is kept for as long as the page.
  }
};

/** Another tab logged in or out. */
export const onSessionElsewhere = (told: () => void): void => {
  addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) told();
  });
};

/** What people chose for this browser. Not theirs alone: it survives a log-out. */
export const loadChoice = (name: string): string | null => {
  try {
    return localStorage.getItem(`skep.${name}`);
  } catch {
    return null;
  }
};

export const saveChoice = (name: string, value: string): void => {
  try {
    localStorage.setItem(`skep.${name}`, value);
  } catch {
    // It holds for as long as the page.
  }
};

/** How this device is called in the list of devices. */
export const deviceName = (): string => {
  const agent = navigator.userAgent;
  const browser = /Edg\//.test(agent) ? "Edge" : /Firefox\//.test(agent) ? "Firefox" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : "Browser";
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Windows/.test(agent) ? "Windows" : /Mac OS/.test(agent) ? "macOS" : /Linux/.test(agent) ? "Linux" : "";
  return system === "" ? browser : `${browser}, ${system}`;
};
