// One message: its day, who said it, what, when, and of one's own how far it has come.

import { createMemo, createSignal, For, Match, Show, Switch } from "solid-js";
import { t } from "../i18n";
import type { Conversation, Message } from "../protocol";
import type { Unsent } from "../store/state";
import { isFewEmoji } from "../text/emoji";
import { pieces } from "../text/links";
import { clock, dayName, full, sameDay } from "../text/time";
import { Avatar, hueClass } from "../ui/avatar";
import { Alert, Check, Clock } from "../ui/icons";
import type { Model } from "../view/model";
import { personName } from "../view/titles";

export type Line = Message | Unsent;

/** Messages of one person within this time belong together. */
const RUN_MS = 5 * 60_000;
/** Longer ones are folded. */
const FOLD_CHARS = 1_500;
const FOLD_LINES = 24;

const timeOf = (line: Line): string => ("seq" in line ? line.sent_at : new Date(line.at).toISOString());

type Props = {
  model: Model;
  line: Line;
  before: Line | undefined;
  after: Line | undefined;
  kind: Conversation["kind"];
  newFrom: number | null;
};

export const MessageRow = (props: Props) => {
  const sender = (line: Line): string => ("seq" in line ? line.sender_id : props.model.me);
  const time = () => timeOf(props.line);
  const own = () => sender(props.line) === props.model.me;
  const newDay = () => props.before === undefined || !sameDay(timeOf(props.before), time());
  const isNew = () => {
    const from = props.newFrom;
    if (from === null || !("seq" in props.line) || props.line.seq < from) return false;
    return props.before === undefined || !("seq" in props.before) || props.before.seq < from;
  };
  const together = (a: Line | undefined, b: Line | undefined): boolean =>
    a !== undefined &&
    b !== undefined &&
    sender(a) === sender(b) &&
    sameDay(timeOf(a), timeOf(b)) &&
    Date.parse(timeOf(b)) - Date.parse(timeOf(a)) < RUN_MS;
  const first = () => isNew() || !together(props.before, props.line);
  const last = () => !together(props.line, props.after);
  const named = () => props.kind !== "direct" && !own();
  const name = () => personName(props.model, sender(props.line));

  return (
    <div class="line" classList={{ "line-first": first() }}>
      <Show when={newDay()}>
        <div class="day" role="separator" aria-label={dayName(time())}>
          <span>{dayName(time())}</span>
        </div>
      </Show>
      <Show when={isNew()}>
        <div class="new-mark" role="separator" aria-label={t("chat.new")}>
          <span>{t("chat.new")}</span>
        </div>
      </Show>
      <article class="message" classList={{ own: own(), "message-last": last() }} aria-label={t("message.from", { name: name(), time: clock(time()) })}>
        <Show when={named()}>
          <span class="message-avatar">
            <Show when={last()}>
              <Avatar id={sender(props.line)} name={name()} image={props.model.person(sender(props.line))?.image_url} size="s" />
            </Show>
          </span>
        </Show>
        <div class="bubble">
          <Show when={named() && first()}>
            <bdi class={`message-name ${hueClass(sender(props.line))}`}>{name()}</bdi>
          </Show>
          <Text text={props.line.text} />
          <span class="message-meta">
            <time dateTime={time()} title={full(time())}>
              {clock(time())}
            </time>
            <Show when={own()}>
              <State model={props.model} line={props.line} />
            </Show>
          </span>
        </div>
      </article>
      <Failed model={props.model} line={props.line} />
    </div>
  );
};

/** Never markup: pieces of text, some of them links. */
const Text = (props: { text: string }) => {
  const long = createMemo(() => props.text.length > FOLD_CHARS || props.text.split("\n", FOLD_LINES + 1).length > FOLD_LINES);
  const [unfolded, setUnfolded] = createSignal(false);
  return (
    <>
      <div class="message-text" dir="auto" classList={{ folded: long() && !unfolded(), large: isFewEmoji(props.text) }}>
        <For each={pieces(props.text)}>
          {(piece) =>
            piece.is === "text" ? (
              piece.text
            ) : (
              <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
                {piece.text}
              </a>
            )
          }
        </For>
      </div>
      <Show when={long()}>
        <button type="button" class="link-button" onClick={() => setUnfolded(!unfolded())}>
          {unfolded() ? t("message.show_less") : t("message.show_all")}
        </button>
      </Show>
    </>
  );
};

const State = (props: { model: Model; line: Line }) => {
  const state = (): "sent" | "sending" | "waiting" | "failed" => {
    if ("seq" in props.line) return "sent";
    props.model.unsent(props.line.conversation_id);
    if (props.line.status.is === "failed") return "failed";
    return props.model.live() ? "sending" : "waiting";
  };
  const word = () => t(`message.${state()}`);
  return (
    <span class={`message-state state-${state()}`} role="img" aria-label={word()} title={word()}>
      <Switch>
        <Match when={state() === "sent"}>
          <Check />
        </Match>
        <Match when={state() === "failed"}>
          <Alert />
        </Match>
        <Match when={true}>
          <Clock />
        </Match>
      </Switch>
    </span>
  );
};

const Failed = (props: { model: Model; line: Line }) => {
  const failed = () => {
    if ("seq" in props.line) return null;
    props.model.unsent(props.line.conversation_id);
    return props.line.status.is === "failed" ? { unsent: props.line, code: props.line.status.code } : null;
  };
  return (
    <Show when={failed()}>
      {(why) => (
        <p class="failed" role="alert">
          <span>{why().code === "not_allowed" ? t("message.failed.not_allowed") : t("message.failed")}</span>
          <button type="button" class="link-button" onClick={() => props.model.dispatch({ is: "retry", client_message_id: why().unsent.client_message_id })}>
            {t("retry")}
          </button>
          <button type="button" class="link-button" onClick={() => props.model.discard(why().unsent)}>
            {t("message.discard")}
          </button>
        </p>
      )}
    </Show>
  );
};
