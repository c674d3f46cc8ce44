// What is asked of the server for a part of the screen: a sign of waiting, then it, or why it did not come.

import { createSignal, Match, onCleanup, onMount, Show, Switch, type JSX } from "solid-js";
import { t } from "../i18n";
import { sentence } from "../view/errors";
import { Button } from "./button";

/** Less is not felt as a wait. */
const SAY_AFTER_MS = 300;

export type Asked<T> = {
  value: () => T | null;
  /** Changes what is shown, after it was changed at the server. */
  change: (how: (before: T) => T) => void;
  /** Why it did not come, as a sentence; empty otherwise. */
  why: () => string;
  load: () => Promise<void>;
};

/** Asks at once. Not a resource: that would hold back a dialog's keys and focus until it has come. */
export const createAsked = <T,>(ask: () => Promise<T>): Asked<T> => {
  const [value, setValue] = createSignal<T | null>(null);
  const [why, setWhy] = createSignal("");
  let asked = 0;
  let answered = 0;
  /** Of several at a time, the last one counts. */
  const load = async (): Promise<void> => {
    const turn = ++asked;
    setWhy("");
    try {
      const answer = await ask();
      if (turn === asked) setValue(() => answer);
    } catch (error) {
      if (turn === asked) setWhy(sentence(error));
    }
    answered = Math.max(answered, turn);
  };
  const change = (how: (before: T) => T): void => {
    const before = value();
    if (before !== null) setValue(() => how(before));
    // What is on its way may be from before.
    if (before === null || asked !== answered) void load();
  };
  onMount(() => void load());
  return { value, change, why, load };
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
