// What was said. Only what is on screen is in the page, however long the conversation is.

import { Virtualizer, type VirtualizerHandle } from "virtua/solid";
import { createEffect, createMemo, createSignal, For, on, onCleanup, onMount, Show, untrack } from "solid-js";
import { t } from "../i18n";
import type { Message } from "../protocol";
import { hasOlder, unread, type Kept } from "../store/state";
import { Avatar } from "../ui/avatar";
import { Down } from "../ui/icons";
import type { Model } from "../view/model";
import { personName, titleOf } from "../view/titles";
import { MessageRow, type Line } from "./message";

/** From the newest, in pixels: still counts as being there. */
const NEAR = 48;
/** From the oldest, in pixels: more are fetched. */
const FETCH_WITHIN = 1_200;
/** Unread ones are shown from the first on, if they are not more than this. */
const MARK_WITHIN = 140;
/** So much of what was read already is shown above them, in pixels, where there is room. */
const ABOVE_MARK = 96;
/** The place to begin at is reached within this, or never. */
const SETTLE_MS = 500;
/** So many new messages are read out at most: of more, the last ones. */
const READ_OUT = 3;

const keyOf = (line: Line | undefined): string | number | undefined =>
  line === undefined ? undefined : "seq" in line ? line.seq : line.client_message_id;

export const History = (props: { model: Model; id: string; kept: Kept }) => {
  let box!: HTMLDivElement;
  let list: VirtualizerHandle | undefined;
  const [atNewest, setAtNewest] = createSignal(true);
  const [announced, setAnnounced] = createSignal<{ text: string }[]>([]);
  const [busy, setBusy] = createSignal(false);
  const visible = () => document.visibilityState === "visible";

  // Where "new messages" stands, for as long as they are looked at.
  const [newFrom, setNewFrom] = createSignal<number | null>(null);
  // The place to begin at, until it is reached or too far away.
  let seekMark = false;
  /** Who was not there, be it the person or the network, goes on where they were. */
  const returned = (): void => {
    const waiting = unread(props.kept);
    if (waiting > 0 && (newFrom() ?? 0) <= props.kept.read) setNewFrom(props.kept.read + 1);
    // Who wrote meanwhile is at their own words.
    if (atNewest()) seekMark = waiting > 0 && waiting <= MARK_WITHIN && props.model.unsent(props.id).every((u) => u.status.is === "failed");
  };
  untrack(returned);
  let wasAway = false;
  createEffect(
    on(props.model.live, (live) => {
      if (!live) wasAway = true;
      // After what came with it has been shown.
      else queueMicrotask(() => (wasAway = false));
    }),
  );

  const lines = createMemo<{ all: Line[]; shift: boolean }>(
    (before) => {
      const all: Line[] = [...props.kept.messages, ...props.model.unsent(props.id)];
      const shift =
        before.all.length > 0 && all.length !== before.all.length && keyOf(all[0]) !== keyOf(before.all[0]) && keyOf(all.at(-1)) === keyOf(before.all.at(-1));
      return { all, shift };
    },
    { all: [], shift: false },
  );

  const older = (): void => {
    if (hasOlder(props.kept) && props.kept.older.is === "idle") props.model.dispatch({ is: "older", conversation_id: props.id });
  };

  const toNewest = (): void => {
    const last = lines().all.length - 1;
    if (last >= 0) list?.scrollToIndex(last, { align: "end" });
  };

  /** Marks as read what is on screen while somebody looks. */
  const look = (): void => {
    if (!visible() || list === undefined || seekMark) return;
    const { all } = lines();
    const messages = props.kept.messages;
    const at = atNewest() ? messages.length - 1 : Math.min(list.findItemIndex(list.scrollOffset + list.viewportSize), messages.length - 1);
    const line = all[at];
    if (line !== undefined && "seq" in line && line.seq > props.kept.read) props.model.read(props.id, line.seq);
  };

  const scrolled = (): void => {
    if (list === undefined) return;
    setAtNewest(list.scrollSize - list.scrollOffset - list.viewportSize < NEAR);
    if (list.scrollOffset < FETCH_WITHIN) older();
    look();
  };

  /** To the first unread one; while it is still to come, at the newest. */
  const seek = (): void => {
    const { kept } = props;
    const from = Math.max(newFrom() ?? 0, kept.info.first_seq);
    const { all } = lines();
    const at = all.findIndex((line) => "seq" in line && line.seq >= from);
    // What lies before it may be on its way: older ones, or a hole.
    const allCame = kept.floor > from ? !hasOlder(kept) : kept.fetch.is === "hopeless";
    if (!allCame && keyOf(all[at]) !== from) {
      stay();
      toNewest();
      if (kept.floor > from) older();
      return;
    }
    if (at < 0) return chose();
    list?.scrollToIndex(at, { align: "start", offset: -Math.min(ABOVE_MARK, box.clientHeight / 4) });
    // Lines that were never shown are measured in the frame after.
    if (settling === 0) settling = requestAnimationFrame(() => settle(performance.now() + SETTLE_MS));
  };
  /** Until the place is reached, nothing else pulls elsewhere, and nothing counts as seen. */
  const settle = (end: number): void => {
    settling = requestAnimationFrame(() => {
      const [mark, view] = [box.querySelector(".new-mark")?.getBoundingClientRect(), box.getBoundingClientRect()];
      const reached = mark !== undefined && mark.top >= view.top && mark.bottom <= view.bottom;
      if (!reached && performance.now() < end) return settle(end);
      chose();
    });
  };
  let settling = 0;
  const stay = (): void => {
    cancelAnimationFrame(settling);
    settling = 0;
  };
  onCleanup(stay);
  /** Who scrolls, jumps or writes is where they want to be, as who has reached the place is. */
  const chose = (): void => {
    stay();
    if (!seekMark) return;
    seekMark = false;
    scrolled();
  };

  createEffect(
    on(
      lines,
      ({ all, shift }, before) => {
        const last = all.at(-1);
        const grew = before !== undefined && keyOf(last) !== keyOf(before.all.at(-1));
        const own = last !== undefined && (!("seq" in last) || last.sender_id === props.model.me);
        const wrote = grew && own && before.all.length < all.length;
        const came = before === undefined ? [] : since(before.all, all);
        if (came.length > 0 && (wasAway || !visible())) returned();
        if (wrote) chose();
        queueMicrotask(() => {
          if (seekMark) {
            // Nobody sees where it would go, and its sizes are not known before somebody does.
            if (visible()) seek();
          } else if (!shift && (atNewest() || wrote)) toNewest();
          look();
          // Not asked of the page, which would have to be laid out for it.
          if (list === undefined || list.scrollSize <= list.viewportSize + FETCH_WITHIN) older();
        });
        if (came.length > 0) announce(came.slice(-READ_OUT));
      },
    ),
  );

  /** What others have said since. */
  const since = (before: Line[], now: Line[]): Message[] => {
    const known = before.findLast((line) => "seq" in line)?.seq ?? props.kept.read;
    return now.slice(now.findLastIndex((line) => "seq" in line && line.seq <= known) + 1).filter((line): line is Message => "seq" in line && line.sender_id !== props.model.me);
  };
  const announce = (messages: Message[]): void => {
    setAnnounced(messages.map(({ sender_id, text }) => ({ text: t("announce.message", { name: personName(props.model, sender_id), text: text.slice(0, 300) }) })));
  };

  // What is shown is told to the other tabs, which so keep what this one needs.
  createEffect(
    on(atNewest, (newest) => props.model.view(props.id, newest)),
  );
  onMount(() => {
    const sized = new ResizeObserver(() => {
      if (untrack(atNewest) && !seekMark) toNewest();
    });
    sized.observe(box);
    const seen = (): void => {
      props.model.view(props.id, untrack(atNewest));
      // Read elsewhere meanwhile, or before: nothing is new any more.
      if (unread(props.kept) === 0) {
        setNewFrom(null);
        chose();
      }
      if (!visible()) return stay();
      if (seekMark) seek();
      look();
    };
    document.addEventListener("visibilitychange", seen);
    older();
    onCleanup(() => {
      sized.disconnect();
      document.removeEventListener("visibilitychange", seen);
    });
  });
  // Skeletons and spinners only where the wait is felt.
  createEffect(() => {
    const waits = props.kept.older.is === "asked" || props.kept.older.is === "waits";
    if (!waits) return setBusy(false);
    const timer = setTimeout(() => setBusy(true), 300);
    onCleanup(() => clearTimeout(timer));
  });

  const waiting = () => (atNewest() ? 0 : unread(props.kept));
  // Within the first line: what is beside the lines would not be counted when one is scrolled to.
  const beginning = () => (
    <Show when={!hasOlder(props.kept)}>
      <Beginning model={props.model} kept={props.kept} />
    </Show>
  );

  return (
    <div class="history-place">
      <div
        ref={box}
        class="history"
        tabindex="0"
        role="region"
        aria-label={t("chat.messages")}
        aria-busy={busy()}
        on:wheel={{ handleEvent: chose, passive: true }}
        onPointerDown={chose}
        onKeyDown={chose}
      >
        <Show when={lines().all.length === 0} fallback={<div class="history-space" />}>
          <div class="beginning-alone">{beginning()}</div>
        </Show>
        {/* Without a size to begin with: those that were never shown are taken to be as the first ones, and so jump less. */}
        <Virtualizer ref={(handle) => (list = handle)} scrollRef={box} data={lines().all} shift={lines().shift} onScroll={scrolled} bufferSize={400}>
          {(line, index) => (
            <>
              <Show when={index() === 0}>{beginning()}</Show>
              <MessageRow
                model={props.model}
                line={line}
                before={lines().all[index() - 1]}
                after={lines().all[index() + 1]}
                kind={props.kept.info.kind}
                newFrom={newFrom()}
              />
            </>
          )}
        </Virtualizer>
      </div>
      <Show when={busy()}>
        <div class="history-busy" role="status" aria-label={t("loading")}>
          <i class="spinner" />
        </div>
      </Show>
      <Show when={!atNewest()}>
        <button
          type="button"
          class="latest"
          onClick={() => {
            chose();
            toNewest();
          }}
        >
          <Show when={waiting() > 0}>
            <span class="latest-count">{t("chat.latest.new", { count: waiting() })}</span>
          </Show>
          <span class="latest-arrow" title={t("chat.latest")} aria-label={t("chat.latest")} role="img">
            <Down />
          </span>
        </button>
      </Show>
      <div class="unseen" role="log">
        <For each={announced()}>{({ text }) => <p>{text}</p>}</For>
      </div>
    </div>
  );
};

/** Whom or what it is with, where nothing was said before. */
const Beginning = (props: { model: Model; kept: Kept }) => {
  const info = () => props.kept.info;
  const title = () => titleOf(props.model, props.kept);
  const image = () => (info().peer_id === null ? null : props.model.person(info().peer_id ?? "")?.image_url);
  const words = () => {
    if (info().kind === "direct") return t("chat.beginning.direct", { name: title() });
    return info().first_seq > 1 ? t("chat.beginning.joined") : t("chat.beginning");
  };
  return (
    <div class="beginning">
      <Avatar id={info().peer_id ?? info().conversation_id} name={title()} image={image()} size="l" />
      <p class="beginning-title">
        <bdi>{title()}</bdi>
      </p>
      <p>{words()}</p>
    </div>
  );
};
