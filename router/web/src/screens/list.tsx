// The list of conversations, and the search above it.

import { VList, type VListHandle } from "virtua/solid";
import { createEffect, createMemo, createSignal, on, onCleanup, Show } from "solid-js";
import { t } from "../i18n";
import { lastActive, unread } from "../store/state";
import { short } from "../text/time";
import { Avatar } from "../ui/avatar";
import { Button, IconButton } from "../ui/button";
import { Alert, Clock, Gear, KindIcon, Mark, Plus } from "../ui/icons";
import { nameOf } from "../text/names";
import type { Model } from "../view/model";
import { go, hrefOf, open } from "../view/place";
import { previewOf, titleOf } from "../view/titles";
import { NetworkNote } from "./network";
import { Search } from "./search";

/** How often presence is looked up anew for those on screen. */
const PRESENCE_EVERY_MS = 30_000;

export const List = (props: { model: Model; current: string | null; onNew: () => void; searching: number }) => {
  const [query, setQuery] = createSignal("");
  let list: VListHandle | undefined;

  // A conversation opened by keyboard or link comes into view.
  createEffect(
    on(
      () => props.current,
      (id) => {
        const at = id === null ? -1 : props.model.order().indexOf(id);
        if (at >= 0 && list !== undefined) list.scrollToIndex(at, { align: "nearest" });
      },
    ),
  );

  const timer = setInterval(() => {
    if (document.visibilityState !== "visible") return;
    const shown = document.querySelectorAll<HTMLElement>(".row[data-peer]");
    props.model.refresh([...shown].flatMap((row) => row.dataset["peer"] ?? []));
  }, PRESENCE_EVERY_MS);
  onCleanup(() => clearInterval(timer));

  const moved = (event: KeyboardEvent): void => {
    if (event.altKey || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    const rows = [...document.querySelectorAll<HTMLElement>(".rows .row")];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    next.focus();
  };

  return (
    <nav class="side" aria-label={t("list.label")}>
      <header class="side-head">
        <Me model={props.model} />
        <h1 class="side-title">{t("app")}</h1>
        <IconButton label={t("settings.title")} onClick={() => go({ is: "settings" })}>
          <Gear />
        </IconButton>
        <IconButton label={t("list.start")} letter="N" onClick={props.onNew}>
          <Plus />
        </IconButton>
      </header>
      <Search model={props.model} query={query()} onQuery={setQuery} searching={props.searching} />
      <NetworkNote model={props.model} />
      <Show when={query().trim() === ""}>
        <Show
          when={props.model.order().length > 0}
          fallback={
            <Show when={props.model.phase().everSynced} fallback={<Skeleton />}>
              <Nothing onNew={props.onNew} />
            </Show>
          }
        >
          <div class="rows" role="list" aria-label={t("list.label")} onKeyDown={moved}>
            <VList ref={(handle) => (list = handle)} data={props.model.order()} itemSize={68} class="rows-list">
              {(id) => (
                <div role="listitem">
                  <Row model={props.model} id={id} current={id === props.current} />
                </div>
              )}
            </VList>
          </div>
        </Show>
      </Show>
    </nav>
  );
};

/** What there is to do first. */
export const Nothing = (props: { onNew: () => void }) => (
  <div class="nothing">
    <Mark size={56} />
    <p class="nothing-title">{t("list.empty")}</p>
    <p class="nothing-lead">{t("list.empty.lead")}</p>
    <Button look="main" onClick={props.onNew}>
      {t("list.start")}
    </Button>
  </div>
);

const Me = (props: { model: Model }) => {
  const me = () => props.model.person(props.model.me);
  return (
    <IconButton label={t("settings.profile")} onClick={() => go({ is: "settings" })}>
      <Avatar id={props.model.me} name={nameOf(me(), "")} image={me()?.image_url} size="s" />
    </IconButton>
  );
};

const Row = (props: { model: Model; id: string; current: boolean }) => {
  const kept = () => props.model.conversation(props.id);
  const peer = () => {
    const id = kept()?.info.peer_id;
    return id == null ? undefined : props.model.person(id, "with presence");
  };
  const title = () => {
    const k = kept();
    return k === undefined ? "" : titleOf(props.model, k);
  };
  const waiting = () => {
    const k = kept();
    return k === undefined ? 0 : unread(k);
  };
  const draft = () => (props.current ? "" : props.model.draft(props.id).trim());
  const unsent = createMemo(() => props.model.unsent(props.id));
  const failed = () => unsent().some((u) => u.status.is === "failed");
  /** The own one that has no place yet, unless it failed before something newer came. */
  const newestOwn = () => {
    const [k, own] = [kept(), unsent().at(-1)];
    return own?.status.is === "failed" && k !== undefined && own.at < lastActive(k) ? undefined : own;
  };
  const time = () => {
    const at = newestOwn()?.at ?? kept()?.last?.sent_at;
    return at === undefined ? "" : short(at);
  };
  const waitsFor = () => t(props.model.live() ? "message.sending" : "message.waiting");
  const preview = () => {
    const k = kept();
    const waits = newestOwn();
    if (waits !== undefined) return t("list.preview.you", { text: waits.text.slice(0, 160) });
    return k === undefined ? "" : previewOf(props.model, k);
  };
  return (
    <a
      class="row"
      classList={{ "row-current": props.current, "row-unread": waiting() > 0 }}
      href={hrefOf(props.id)}
      data-peer={kept()?.info.peer_id ?? undefined}
      aria-current={props.current ? "page" : undefined}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        open(props.id);
      }}
    >
      <Avatar
        id={kept()?.info.peer_id ?? props.id}
        name={title()}
        image={peer()?.image_url}
        size="m"
        online={peer()?.presence.online}
      />
      <span class="row-text">
        <span class="row-line">
          <KindIcon kind={kept()?.info.kind} />
          <bdi class="row-title">{title()}</bdi>
          <Show when={peer()?.presence.online}>
            <span class="unseen">{t("list.online")}</span>
          </Show>
          <time class="row-time">{time()}</time>
        </span>
        <span class="row-line">
          <Show
            when={draft() === ""}
            fallback={
              <bdi class="row-preview">
                <span class="row-draft">{t("list.draft")}</span> <bdi>{draft().slice(0, 120)}</bdi>
              </bdi>
            }
          >
            <Show when={unsent().length > 0 && !failed()}>
              <span class="row-waits" title={waitsFor()} role="img" aria-label={waitsFor()}>
                <Clock />
              </span>
            </Show>
            <bdi class="row-preview">{preview()}</bdi>
          </Show>
          <Show when={failed()}>
            <span class="row-failed" title={t("list.failed")} role="img" aria-label={t("list.failed")}>
              <Alert />
            </span>
          </Show>
          <Show when={waiting() > 0}>
            <span class="badge" aria-hidden="true">
              {waiting() > 999 ? "999+" : waiting()}
            </span>
            <span class="unseen">{t("list.unread", { count: waiting() })}</span>
          </Show>
        </span>
      </span>
    </a>
  );
};

/** Shown only when the wait is long enough to be noticed. */
const Skeleton = () => {
  const [shown, setShown] = createSignal(false);
  const timer = setTimeout(() => setShown(true), 300);
  onCleanup(() => clearTimeout(timer));
  return (
    <Show when={shown()}>
      <div class="skeleton" role="status" aria-label={t("loading")}>
        {[0, 1, 2, 3, 4, 5].map(() => (
          <div class="skeleton-row">
            <i />
            <span>
              <b />
              <b />
            </span>
          </div>
        ))}
      </div>
    </Show>
  );
};
