// One conversation: title, history, composer.

import { createEffect, createMemo, createSignal, lazy, Match, onCleanup, onMount, Show, Suspense, Switch } from "solid-js";
import { t } from "../i18n";
import { isListed, isMember, type Kept } from "../store/state";
import { ago } from "../text/time";
import { Waiting } from "../ui/asked";
import { Avatar } from "../ui/avatar";
import { Button, IconButton } from "../ui/button";
import { isTouch } from "../ui/focus";
import { Back, Info } from "../ui/icons";
import { sayError } from "../ui/toast";
import { blockedBy } from "../view/blocks";
import type { Model } from "../view/model";
import { go, place, up } from "../view/place";
import { titleOf } from "../view/titles";
import { Composer } from "./composer";
import { History } from "./history";
import { NetworkNote } from "./network";

const Details = lazy(() => import("./details"));
const PRESENCE_EVERY_MS = 30_000;
const GONE_AFTER_MS = 1_000;

export const Conversation = (props: { model: Model; id: string }) => {
  const kept = createMemo(() => props.model.conversation(props.id), undefined, { equals: false });
  const known = createMemo(() => kept() !== undefined);
  // Nothing is said to be gone before a sync has told what there is, and what was made a moment ago may be on its way.
  const [gone, setGone] = createSignal(false);
  createEffect(() => {
    setGone(false);
    if (known() || !props.model.live()) return;
    const timer = setTimeout(() => setGone(true), GONE_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });
  const details = () => {
    const at = place();
    return at.is === "conversation" && at.details;
  };
  return (
    <Switch
      fallback={
        <section class="conversation" aria-busy="true">
          <header class="head">
            <BackButton />
          </header>
          <div class="network-phone">
            <NetworkNote model={props.model} />
          </div>
          <Waiting />
        </section>
      }
    >
      <Match when={gone()}>
        <div class="nothing">
          <p class="nothing-title">{t("chat.gone")}</p>
          <Button onClick={() => go({ is: "list" }, true)}>{t("back")}</Button>
        </div>
      </Match>
      <Match when={known()}>
        <section class="conversation" aria-label={titleOf(props.model, kept() as Kept)}>
          <Head model={props.model} kept={kept() as Kept} />
          <div class="network-phone">
            <NetworkNote model={props.model} />
          </div>
          <History model={props.model} id={props.id} kept={kept() as Kept} />
          <Foot model={props.model} kept={kept() as Kept} />
        </section>
        <Suspense>
          <Show when={details()}>
            <Details model={props.model} kept={kept() as Kept} onClose={up} />
          </Show>
        </Suspense>
      </Match>
    </Switch>
  );
};

const Head = (props: { model: Model; kept: Kept }) => {
  const info = () => props.kept.info;
  const title = () => titleOf(props.model, props.kept);
  const [now, setNow] = createSignal(Date.now());
  const timer = setInterval(() => {
    setNow(Date.now());
    const { peer_id } = info();
    if (peer_id !== null && document.visibilityState === "visible") props.model.refresh([peer_id]);
  }, PRESENCE_EVERY_MS);
  onCleanup(() => clearInterval(timer));
  const peer = () => {
    const { peer_id } = info();
    return peer_id === null ? undefined : props.model.person(peer_id, "with presence");
  };
  const line = () => {
    if (info().kind !== "direct") {
      const members = t("chat.members", { count: info().member_count });
      const topic = info().topic;
      return topic === null ? members : `${members} · ${topic.replace(/\s+/gu, " ")}`;
    }
    const presence = peer()?.presence;
    if (presence === undefined) return "";
    if (presence.online) return t("chat.online");
    return presence.last_seen === null ? t("chat.offline") : t("chat.last_seen", { ago: ago(presence.last_seen, now()) });
  };
  const details = () => go({ is: "conversation", id: info().conversation_id, details: true });
  let heading!: HTMLHeadingElement;
  // What was touched is no longer there, and the composer is not focused by itself.
  onMount(() => isTouch() && document.querySelector("[role=dialog]") === null && heading.focus({ preventScroll: true }));
  return (
    <header class="head">
      <BackButton />
      <div class="head-who">
        <Avatar id={info().peer_id ?? info().conversation_id} name={title()} image={peer()?.image_url} size="s" online={peer()?.presence.online} />
        <div class="head-text">
          <h1 ref={heading} class="head-title" tabindex="-1">
            <button type="button" class="head-open" onClick={details}>
              <bdi>{title()}</bdi>
            </button>
          </h1>
          <span class="head-line">
            <bdi>{line()}</bdi>
          </span>
        </div>
      </div>
      <IconButton label={t("chat.details")} letter="I" onClick={details}>
        <Info />
      </IconButton>
    </header>
  );
};

const BackButton = () => (
  <IconButton label={t("back")} class="head-back" onClick={up}>
    <Back />
  </IconButton>
);

const Foot = (props: { model: Model; kept: Kept }) => {
  const blocks = blockedBy(props.model);
  const peer = () => props.kept.info.peer_id;
  const isBlocked = () => {
    const id = peer();
    return id !== null && blocks.has(id);
  };
  const reason = () => {
    const left = props.kept.left;
    if (left === null || isMember(props.kept)) return "";
    return left.reason === "removed" ? t("chat.removed") : t("chat.left");
  };
  return (
    <Switch fallback={<Composer model={props.model} id={props.kept.info.conversation_id} />}>
      <Match when={!isListed(props.kept) && reason() !== ""}>
        <p class="foot-note">{reason()}</p>
      </Match>
      <Match when={isBlocked()}>
        <p class="foot-note">
          {t("details.blocked", { name: titleOf(props.model, props.kept) })}
          <Button look="plain" onClick={() => void blocks.unblock(peer() ?? "").catch(sayError)}>
            {t("details.unblock")}
          </Button>
        </p>
      </Match>
    </Switch>
  );
};
