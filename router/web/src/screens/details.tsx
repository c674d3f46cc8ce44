// About a conversation: the person, or the members, the name, the link, and the way out.

import { createSignal, Show } from "solid-js";
import { t } from "../i18n";
import { isMember, type Kept } from "../store/state";
import { ago } from "../text/time";
import { createAsked, Shown } from "../ui/asked";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { ask, Dialog } from "../ui/dialog";
import { Field } from "../ui/field";
import { say, sayError } from "../ui/toast";
import { block, blockedBy } from "../view/blocks";
import { fieldErrors, sentence } from "../view/errors";
import type { Model } from "../view/model";
import { place, toList } from "../view/place";
import { titleOf } from "../view/titles";
import { Members } from "./members";
import { ShareLink } from "./share-link";

type Props = { model: Model; kept: Kept; onClose: () => void };

export default function Details(props: Props) {
  return (
    <Dialog title={t("details.title")} onClose={props.onClose}>
      <Show when={props.kept.info.kind === "direct"} fallback={<Shared {...props} />}>
        <Direct {...props} />
      </Show>
    </Dialog>
  );
}

const leave = async (props: Props, title: string, lead: string, yes: string): Promise<void> => {
  if (!(await ask({ title, lead, yes, danger: props.kept.info.kind !== "direct" }))) return;
  try {
    const id = props.kept.info.conversation_id;
    await props.model.http.removeMember(id, "me");
    const at = place();
    if (at.is === "conversation" && at.id === id) toList();
  } catch (error) {
    sayError(error);
  }
};

// === with one person ===

const Direct = (props: Props) => {
  const id = () => props.kept.info.peer_id ?? "";
  const person = () => props.model.person(id(), "with presence");
  const name = () => titleOf(props.model, props.kept);
  const blocks = blockedBy(props.model);
  const presence = () => {
    const now = person()?.presence;
    if (now === undefined) return "";
    if (now.online) return t("chat.online");
    return now.last_seen === null ? t("chat.offline") : t("chat.last_seen", { ago: ago(now.last_seen) });
  };
  return (
    <div class="stack">
      <div class="profile">
        <Avatar id={id()} name={name()} image={person()?.image_url} size="xl" online={person()?.presence.online} />
        <p class="profile-name">
          <bdi>{name()}</bdi>
        </p>
        <p class="profile-line">@{person()?.username}</p>
        <p class="profile-line">{presence()}</p>
      </div>
      <div class="actions">
        <Button onClick={() => void leave(props, `${t("details.hide")}?`, t("details.hide.lead"), t("details.hide"))}>{t("details.hide")}</Button>
        <Show when={blocks.has(id())} fallback={<Button look="danger" onClick={() => void block(blocks, id(), name())}>{t("details.block")}</Button>}>
          <Button onClick={() => void blocks.unblock(id()).catch(sayError)}>{t("details.unblock")}</Button>
        </Show>
      </div>
    </div>
  );
};

// === groups and channels ===

const Shared = (props: Props) => {
  const info = () => props.kept.info;
  const title = () => titleOf(props.model, props.kept);
  const isAdmin = () => isMember(props.kept) && info().role === "admin";
  const [edits, setEdits] = createSignal(false);
  return (
    <div class="stack">
      <Show when={edits()} fallback={
        <div class="profile">
          <Avatar id={info().conversation_id} name={title()} image={null} size="xl" />
          <p class="profile-name">
            <bdi>{title()}</bdi>
          </p>
          <Show when={info().topic}>{(topic) => <p class="profile-topic" dir="auto">{topic()}</p>}</Show>
          <p class="profile-line">{t("chat.members", { count: info().member_count })}</p>
          <Show when={isAdmin()} fallback={<p class="profile-line">{t("details.only_admins")}</p>}>
            <Button look="plain" onClick={() => setEdits(true)}>{t("details.rename")}</Button>
          </Show>
        </div>
      }>
        <Rename {...props} onDone={() => setEdits(false)} />
      </Show>
      <Show when={info().kind === "channel" && isMember(props.kept)}>
        <ChannelLink {...props} isAdmin={isAdmin()} />
      </Show>
      <Show when={isMember(props.kept)}>
        <Members model={props.model} kept={props.kept} isAdmin={isAdmin()} />
        <div class="actions">
          <Button look="danger" onClick={() => void leave(props, t("details.leave.confirm", { title: title() }), t("details.leave.lead"), t("details.leave"))}>
            {t("details.leave")}
          </Button>
        </div>
      </Show>
    </div>
  );
};

const Rename = (props: Props & { onDone: () => void }) => {
  const [title, setTitle] = createSignal(props.kept.info.title ?? "");
  const [topic, setTopic] = createSignal(props.kept.info.topic ?? "");
  const [errors, setErrors] = createSignal<Record<string, string>>({});
  const [wrong, setWrong] = createSignal("");
  /** A group has no topic. */
  const isChannel = () => props.kept.info.kind === "channel";
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (isChannel() && title().trim() === "") return void setErrors({ title: t("new.required") });
    try {
      // How it is now comes by the connection, as to everybody.
      await props.model.http.change(props.kept.info.conversation_id, {
        title: title().trim() || null,
        ...(isChannel() ? { topic: topic().trim() || null } : {}),
      });
      props.onDone();
    } catch (error) {
      setErrors(fieldErrors(error));
      setWrong(Object.keys(errors()).length === 0 ? sentence(error) : "");
    }
  };
  return (
    <form class="stack" onSubmit={(event) => void save(event)}>
      <Field name="title" label={t("details.name")} value={title()} onInput={setTitle} error={errors()["title"]} maxLength={100} capitals="sentences" autofocus />
      <Show when={isChannel()}>
        <Field name="topic" label={t("details.topic")} optional value={topic()} onInput={setTopic} error={errors()["topic"]} maxLength={500} lines />
      </Show>
      <Show when={wrong() !== ""}>
        <p class="form-error" role="alert">{wrong()}</p>
      </Show>
      <div class="dialog-buttons">
        <Button onClick={props.onDone}>{t("cancel")}</Button>
        <Button look="main" type="submit">{t("save")}</Button>
      </div>
    </form>
  );
};

const ChannelLink = (props: Props & { isAdmin: boolean }) => {
  const id = () => props.kept.info.conversation_id;
  const link = createAsked(() => props.model.http.link(id()));
  const renew = async (): Promise<void> => {
    if (!(await ask({ title: t("details.link.renew.confirm"), lead: t("details.link.renew.lead"), yes: t("details.link.renew") }))) return;
    try {
      const renewed = await props.model.http.renewLink(id());
      link.change(() => renewed);
      say(t("saved"));
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <section class="stack" aria-label={t("details.link")}>
      <div class="section-head">
        <h3 class="section-title">{t("details.link")}</h3>
        <Show when={props.isAdmin}>
          <Button look="plain" onClick={() => void renew()}>{t("details.link.renew")}</Button>
        </Show>
      </div>
      <Shown of={link}>{(known) => <ShareLink link={known()} title={titleOf(props.model, props.kept)} />}</Shown>
    </section>
  );
};
