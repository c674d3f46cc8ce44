// Where one writes. What is written and not sent is kept as a draft.

import { createMemo, createSignal, onCleanup, onMount, Show, untrack } from "solid-js";
import { t } from "../i18n";
import { TEXT_BYTES, TEXT_CHARS } from "../protocol";
import { countChars } from "../text/names";
import { goOnWriting, isTouch } from "../ui/focus";
import { Send } from "../ui/icons";
import { below, type Model } from "../view/model";

const DRAFT_AFTER_MS = 300;
/** The counter is shown when so few are left. */
const NEAR_LIMIT = 500;

/** As it is sent: without the blank ends, and without what the contract does not take. */
const cleaned = (text: string): string => text.replace(/\0/g, "").replace(/^\s*\n|\s+$/g, "").toWellFormed();

export const Composer = (props: { model: Model; id: string }) => {
  const [text, setText] = createSignal(untrack(() => props.model.draft(props.id)));
  let area!: HTMLTextAreaElement;
  let draftTimer: ReturnType<typeof setTimeout> | undefined;

  const left = createMemo(() => {
    const written = cleaned(text());
    const chars = TEXT_CHARS - countChars(written);
    // Only texts of many bytes are worth counting in bytes.
    if (written.length * 4 < TEXT_BYTES - 4 * NEAR_LIMIT) return chars;
    return Math.min(chars, Math.floor((TEXT_BYTES - new TextEncoder().encode(written).length) / 4));
  });
  const isBlank = () => cleaned(text()).trim() === "";
  const canSend = () => !isBlank() && left() >= 0;

  const grow = (): void => {
    if (CSS.supports("field-sizing", "content")) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  };
  const keepDraft = (): void => {
    clearTimeout(draftTimer);
    draftTimer = undefined;
    const draft = text().trim() === "" ? "" : text();
    if (draft !== untrack(() => props.model.draft(props.id))) props.model.dispatch({ is: "draft", conversation_id: props.id, text: draft });
  };
  const put = (written: string): void => {
    setText(written);
    area.value = written;
    keepDraft();
    grow();
  };
  const typed = (): void => {
    setText(area.value);
    grow();
    draftTimer ??= setTimeout(keepDraft, DRAFT_AFTER_MS);
  };
  const send = (): void => {
    if (!canSend()) return;
    props.model.send(props.id, cleaned(text()));
    put("");
    area.focus();
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey) return;
    // There, Enter begins a new line, as its keyboard says.
    if (isTouch() && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    send();
  };

  onMount(() => {
    props.model.composers.set(props.id, (back) => {
      put(below(area.value, back));
      goOnWriting();
    });
    area.value = text();
    grow();
    // What stands in front keeps the keys.
    if (!isTouch() && document.querySelector("[role=dialog]") === null) area.focus();
  });
  onCleanup(() => {
    props.model.composers.delete(props.id);
    keepDraft();
  });

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-box">
        <textarea
          ref={area}
          rows={1}
          dir="auto"
          aria-label={t("compose.label")}
          placeholder={t("compose.placeholder")}
          enterkeyhint={isTouch() ? "enter" : "send"}
          onInput={typed}
          onKeyDown={pressed}
          onBlur={keepDraft}
        />
        <button type="submit" class="send" aria-label={t("compose.send")} disabled={!canSend()}>
          <Send />
        </button>
      </div>
      <Show when={left() <= NEAR_LIMIT}>
        <p class="composer-count" classList={{ over: left() < 0 }} role="status">
          {left() >= 0 ? t("compose.left", { count: left() }) : t("compose.over", { count: -left() })}
        </p>
      </Show>
    </form>
  );
};
