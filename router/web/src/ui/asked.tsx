// What is asked of the server for a part of the screen: a sign of waiting, then it, or why it did not come.

import { createSignal, Match, onCleanup, onMount, Show, Switch, type JSX } from "solid-js";
import { t } from "../i18n";
import { sentence } from "../view/errors";
import { Button } from "./button";

/** Less is not felt as a wait. */
const SAY_AFTER_MS = 300;

export type Asked<T> = {
  value: () => T | null;
  set: (value: T) => void;
  /** Why it did not come, as a sentence; empty otherwise. */
  why: () => string;
  load: () => Promise<void>;
};

/** Asks at once. Not a resource: that would hold back a dialog's keys and focus until it has come. */
export const createAsked = <T,>(ask: () => Promise<T>): Asked<T> => {
  const [value, setValue] = createSignal<T | null>(null);
  const [why, setWhy] = createSignal("");
  const set = (now: T): void => void setValue(() => now);
  const load = async (): Promise<void> => {
    setWhy("");
    try {
      set(await ask());
    } catch (error) {
      setWhy(sentence(error));
    }
  };
  onMount(() => void load());
  return { value, set, why, load };
};

/** What is there already stays, also when a later asking fails. */
export const Shown = <T,>(props: { of: Asked<T>; children: (value: () => T) => JSX.Element }) => (
  <Switch fallback={<Waiting />}>
    <Match when={props.of.value()}>{(value) => props.children(value as () => T)}</Match>
    <Match when={props.of.why() !== ""}>
      <Failed why={props.of.why()} onRetry={() => void props.of.load()} />
    </Match>
  </Switch>
);

export const Waiting = () => {
  const [felt, setFelt] = createSignal(false);
  const timer = setTimeout(() => setFelt(true), SAY_AFTER_MS);
  onCleanup(() => clearTimeout(timer));
  return (
    <div class="waiting" role="status">
      <Show when={felt()}>
        <i class="spinner" role="img" aria-label={t("loading")} />
      </Show>
    </div>
  );
};

export const Failed = (props: { why: string; onRetry: () => void }) => (
  <div class="waiting" role="alert">
    <p class="note">{props.why}</p>
    <Button look="plain" onClick={props.onRetry}>
      {t("retry")}
    </Button>
  </div>
);
