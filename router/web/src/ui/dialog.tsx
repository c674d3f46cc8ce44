// Dialogs, on a phone as a sheet; and the question before what cannot be undone.

// Not their objects `Dialog` and `AlertDialog`: the two share one, and the later import changes the parts of the other.
import * as AlertDialog from "@kobalte/core/alert-dialog";
import * as Base from "@kobalte/core/dialog";
import { createSignal, Show, type JSX } from "solid-js";
import { t } from "../i18n";
import { Button } from "./button";
import { isTouch } from "./focus";
import { Close } from "./icons";

/** Keeps the keys in the dialog, and gives them back to where they were: it has no trigger that Kobalte would know. */
const keepFocus = () => {
  const before = document.activeElement;
  return {
    // Instead of the first thing there is, which is what closes it.
    onOpenAutoFocus: (event: Event): void => {
      const wanted = event.target instanceof HTMLElement && !isTouch() ? event.target.querySelector<HTMLElement>("[autofocus]") : null;
      if (wanted === null) return;
      event.preventDefault();
      // Not within the effect that asks: it would follow whatever its focus reads.
      queueMicrotask(() => wanted.focus());
    },
    onCloseAutoFocus: (event: Event): void => {
      // They are elsewhere already, such as in the conversation that it led to.
      if (event.defaultPrevented) return;
      event.preventDefault();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    },
    // What had them may go, such as the button of an entry that is removed by it. Otherwise they are on their way.
    onFocusOut: (event: FocusEvent & { currentTarget: HTMLElement }): void => {
      if (event.relatedTarget !== null) return;
      const dialog = event.currentTarget;
      queueMicrotask(() => {
        if (document.activeElement === document.body && dialog.isConnected) dialog.focus({ preventScroll: true });
      });
    },
  };
};

export const Dialog = (props: { onClose: () => void; title: string; children: JSX.Element }) => {
  const focus = keepFocus();
  return (
    <Base.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Base.Portal>
        <Base.Overlay class="overlay" />
        <div class="dialog-place">
          <Base.Content class="dialog" {...focus}>
            <header class="dialog-head">
              <Base.Title class="dialog-title">{props.title}</Base.Title>
              <Base.CloseButton class="icon-button" aria-label={t("close")}>
                <Close />
              </Base.CloseButton>
            </header>
            <div class="dialog-body">{props.children}</div>
          </Base.Content>
        </div>
      </Base.Portal>
    </Base.Root>
  );
};

type Question = { title: string; lead: string; yes: string; danger?: boolean; answer: (yes: boolean) => void };
const [question, setQuestion] = createSignal<Question | null>(null);

/** Asks, and waits for the answer. */
export const ask = (what: Omit<Question, "answer">): Promise<boolean> =>
  new Promise((answer) => setQuestion({ ...what, answer }));

/** Where questions appear: once in the page. */
export const Questions = () => {
  const answer = (yes: boolean): void => {
    question()?.answer(yes);
    setQuestion(null);
  };
  return (
    <AlertDialog.Root open={question() !== null} onOpenChange={(open) => !open && answer(false)}>
      <Show when={question()}>
        {(asked) => {
          const focus = keepFocus();
          return (
            <AlertDialog.Portal>
              <AlertDialog.Overlay class="overlay" />
              <div class="dialog-place">
                <AlertDialog.Content class="dialog dialog-small" {...focus}>
                  <AlertDialog.Title class="dialog-title">{asked().title}</AlertDialog.Title>
                  <AlertDialog.Description class="dialog-lead">{asked().lead}</AlertDialog.Description>
                  <div class="dialog-buttons">
                    <AlertDialog.CloseButton class="button button-quiet" aria-label={t("cancel")}>{t("cancel")}</AlertDialog.CloseButton>
                    <Button look={asked().danger === true ? "danger" : "main"} onClick={() => answer(true)}>
                      {asked().yes}
                    </Button>
                  </div>
                </AlertDialog.Content>
              </div>
            </AlertDialog.Portal>
          );
        }}
      </Show>
    </AlertDialog.Root>
  );
};
