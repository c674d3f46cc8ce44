// Where in the app one is: kept in the address, so that back, reload and links work.

import { createSignal } from "solid-js";

export type Place =
  | { is: "list" }
  | { is: "conversation"; id: string; details: boolean }
  | { is: "settings" }
  | { is: "join"; code: string };

const read = (): Place => {
  const link = location.pathname.match(/^\/c\/([A-Za-z0-9_-]{1,64})\/?$/);
  if (link?.[1] !== undefined) return { is: "join", code: link[1] };
  const hash = location.hash.slice(1);
  if (hash === "settings") return { is: "settings" };
  const conversation = hash.match(/^([dgc]_[0-9a-z]{26})(\/details)?$/);
  if (conversation?.[1] !== undefined) {
    return { is: "conversation", id: conversation[1], details: conversation[2] !== undefined };
  }
  return { is: "list" };
};

const [place, setPlace] = createSignal<Place>(read());
export { place };

export const startPlaces = (): void => {
  addEventListener("popstate", () => setPlace(read()));
  addEventListener("hashchange", () => setPlace(read()));
};

const address = (to: Place): string => {
  switch (to.is) {
    case "list":
      return "/";
    case "settings":
      return "/#settings";
    case "join":
      return `/c/${to.code}`;
    case "conversation":
      return `/#${to.id}${to.details ? "/details" : ""}`;
  }
};

export const hrefOf = (id: string): string => `/#${id}`;

/** Goes there. `replace`: going back skips where one is now. */
export const go = (to: Place, replace = false): void => {
  const from = place();
  // From one conversation to the next, back leads to the list: nobody wants to walk through all they have read.
  const sideways = replace || (from.is === to.is && from.is === "conversation" && to.is === "conversation" && from.id !== to.id);
  history[sideways ? "replaceState" : "pushState"]({ inside: (history.state?.inside ?? 0) + (sideways ? 0 : 1) }, "", address(to));
  setPlace(to);
};

export const open = (id: string): void => go({ is: "conversation", id, details: false });

/** Leaves a conversation that is no longer there to go back to. */
export const toList = (): void => {
  const from = place();
  const steps = Math.min(history.state?.inside ?? 0, from.is === "conversation" && from.details ? 2 : 1);
  if (steps === 0) return go({ is: "list" }, true);
  // Where it was opened by its address, the list is not behind it.
  addEventListener("popstate", () => place().is !== "list" && go({ is: "list" }, true), { once: true });
  history.go(-steps);
};

/** One step up, by going back where that is the same. */
export const up = (): void => {
  const from = place();
  const to: Place = from.is === "conversation" && from.details ? { ...from, details: false } : { is: "list" };
  if ((history.state?.inside ?? 0) > 0) history.back();
  else go(to, true);
};
