// One's conversations: list and conversation side by side, on a phone one of them.

import { createEffect, createMemo, createSignal, lazy, Match, on, onCleanup, onMount, Show, Suspense, Switch } from "solid-js";
import { t } from "../i18n";
import { unread } from "../store/state";
import { focusComposer } from "../ui/focus";
import { Mark } from "../ui/icons";
import type { Model } from "../view/model";
import { takeBack } from "../view/notify";
import { go, hrefOf, open, place, up } from "../view/place";
import { COMMAND, hideKeys, keysShown, showKeys, startShortcuts } from "../view/shortcuts";
import { Conversation } from "./conversation";
import { List, Nothing } from "./list";

const NewDialog = lazy(() => import("./new"));
const Settings = lazy(() => import("./settings"));
const Keys = lazy(() => import("./keys"));

export const Home = (props: { model: Model }) => {
  const [isNew, setNew] = createSignal(false);
  const [searching, setSearching] = createSignal(0);
  /** The settings stand in front of where one was. */
  const current = createMemo<string | null>((before) => {
    const at = place();
    if (at.is === "settings") return before;
    return at.is === "conversation" ? at.id : null;
  }, null);

  const step = (by: number, only: "all" | "unread"): void => {
    const ids = props.model.order().filter((id) => {
      const kept = props.model.conversation(id);
      return only === "all" || id === current() || (kept !== undefined && unread(kept) > 0);
    });
    const at = ids.indexOf(current() ?? "");
    const next = ids[at < 0 ? 0 : (at + by + ids.length) % ids.length];
    if (next !== undefined) open(next);
  };

  onMount(() => {
    onCleanup(
      startShortcuts({
        search: () => setSearching(searching() + 1),
        new: () => setNew(true),
        next: () => step(1, "all"),
        previous: () => step(-1, "all"),
        unread: () => step(1, "unread"),
        details: () => {
          const at = place();
          if (at.is === "conversation") go({ ...at, details: !at.details });
        },
        settings: () => go({ is: "settings" }),
        compose: focusComposer,
        help: showKeys,
        close: () => {
          if (current() !== null) up();
        },
      }),
    );
    const looked = (): void => {
      if (document.visibilityState === "visible") props.model.hurry();
      if (current() === null) props.model.view(null, true);
    };
    const leaving = (): void => props.model.unview();
    document.addEventListener("visibilitychange", looked);
    addEventListener("pagehide", leaving);
    onCleanup(() => {
      document.removeEventListener("visibilitychange", looked);
      removeEventListener("pagehide", leaving);
    });
  });
  createEffect(() => {
    if (props.model.ready() && current() === null) props.model.view(null, true);
  });
  // Back in the list, one is where one came from.
  createEffect(
    on(current, (now, before) => {
      if (now === null && before != null) queueMicrotask(() => document.querySelector<HTMLElement>(`.row[href="${hrefOf(before)}"]`)?.focus({ preventScroll: true }));
    }),
  );
  createEffect(() => {
    const waiting = props.model.unreadTotal();
    document.title = waiting > 0 ? `(${waiting}) Skep` : "Skep";
    if (waiting > 0) void navigator.setAppBadge?.(waiting).catch(() => {});
    else void navigator.clearAppBadge?.().catch(() => {});
    // Before, it is not known what was read elsewhere.
    if (props.model.live()) void takeBack((id) => props.model.unreadOf(id) === 0);
  });
  onCleanup(() => {
    document.title = "Skep";
    void navigator.clearAppBadge?.().catch(() => {});
    hideKeys();
  });

  return (
    <main class={`home ${current() === null ? "home-list" : "home-conversation"}`}>
      <List model={props.model} current={current()} onNew={() => setNew(true)} searching={searching()} />
      <div class="pane">
        <Switch>
          <Match when={current()}>
            {(id) => (
              <Show when={id()} keyed>
                {(keyed) => <Conversation model={props.model} id={keyed} />}
              </Show>
            )}
          </Match>
          <Match when={props.model.order().length === 0}>
            <Show when={props.model.phase().everSynced}>
              <Nothing onNew={() => setNew(true)} />
            </Show>
          </Match>
          <Match when={true}>
            <div class="nothing">
              <Mark size={56} />
              <p class="nothing-title">{t("pick.none")}</p>
              <p class="nothing-lead">{t("pick.none.lead", { key: `${COMMAND} K` })}</p>
            </div>
          </Match>
        </Switch>
      </div>
      <Suspense>
        <Show when={isNew()}>
          <NewDialog model={props.model} onClose={() => setNew(false)} />
        </Show>
        <Show when={place().is === "settings"}>
          <Settings model={props.model} onClose={up} />
        </Show>
        <Show when={keysShown()}>
          <Keys onClose={hideKeys} />
        </Show>
      </Suspense>
    </main>
  );
};
