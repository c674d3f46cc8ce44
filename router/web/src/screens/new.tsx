// A new conversation: with one person, with several, or a channel.

import { Tabs } from "@kobalte/core/tabs";
import { createSignal, Show } from "solid-js";
import { t } from "../i18n";
import type { Profile } from "../protocol";
import type { Created, Link, NewConversation } from "../net/http";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Field } from "../ui/field";
import { say } from "../ui/toast";
import { fieldErrors, sentence } from "../view/errors";
import { uuidv7 } from "../view/uuid";
import type { Model } from "../view/model";
import { open } from "../view/place";
import { PickPeople } from "./pick-people";
import { talkTo } from "./search";
import { ShareLink } from "./share-link";

type Kind = "direct" | "group" | "channel";

export default function NewDialog(props: { model: Model; onClose: () => void }) {
  const [kind, setKind] = createSignal<Kind>("direct");
  const [people, setPeople] = createSignal<Profile[]>([]);
  const [title, setTitle] = createSignal("");
  const [topic, setTopic] = createSignal("");
  const [errors, setErrors] = createSignal<Record<string, string>>({});
  const [wrong, setWrong] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const [made, setMade] = createSignal<{ id: string; title: string; link: Link } | null>(null);
  // The same wish has the same key, however often it is sent: an answer may be lost.
  let wish = "";
  let key = "";

  const create = async (what: NewConversation): Promise<Created | null> => {
    if (busy()) return null;
    setBusy(true);
    setWrong("");
    setErrors({});
    if (wish !== JSON.stringify(what)) [wish, key] = [JSON.stringify(what), uuidv7()];
    try {
      const created = await props.model.http.create(what, key);
      props.model.listed(created.conversation);
      const count = created.not_added.length;
      if (count > 0) say(t("new.not_added", { count }));
      return created;
    } catch (error) {
      setErrors(fieldErrors(error));
      setWrong(Object.keys(errors()).length === 0 ? sentence(error) : "");
      return null;
    } finally {
      setBusy(false);
    }
  };

  const direct = async (chosen: Profile[]): Promise<void> => {
    const [one] = chosen;
    if (one === undefined) return;
    props.onClose();
    await talkTo(props.model, one.user_id);
  };
  const group = async (event: Event): Promise<void> => {
    event.preventDefault();
    const named = title().trim();
    const created = await create({ kind: "group", user_ids: people().map((p) => p.user_id), ...(named === "" ? {} : { title: named }) });
    if (created === null) return;
    props.onClose();
    open(created.conversation.conversation_id);
  };
  const channel = async (event: Event): Promise<void> => {
    event.preventDefault();
    const named = title().trim();
    if (named === "") return void setErrors({ title: t("new.required") });
    const about = topic().trim();
    const created = await create({ kind: "channel", title: named, ...(about === "" ? {} : { topic: about }) });
    if (created === null) return;
    const id = created.conversation.conversation_id;
    if (created.link !== null) setMade({ id, title: named, link: created.link });
    else {
      props.onClose();
      open(id);
    }
  };
  const problem = () => (
    <Show when={wrong() !== ""}>
      <p class="form-error" role="alert">
        {wrong()}
      </p>
    </Show>
  );
  const titleField = (label: string, optional: boolean) => (
    <Field name="title" label={label} optional={optional} value={title()} onInput={setTitle} error={errors()["title"]} maxLength={100} capitals="sentences" />
  );

  return (
    <Dialog title={made() === null ? t("new.title") : t("new.channel.made", { title: made()?.title ?? "" })} onClose={props.onClose}>
      <Show
        when={made()}
        fallback={
          <Tabs value={kind()} onChange={(value) => setKind(value as Kind)} class="tabs">
            <Tabs.List class="tabs-list" aria-label={t("new.title")}>
              <Tabs.Trigger class="tab" value="direct">{t("new.direct")}</Tabs.Trigger>
              <Tabs.Trigger class="tab" value="group">{t("new.group")}</Tabs.Trigger>
              <Tabs.Trigger class="tab" value="channel">{t("new.channel")}</Tabs.Trigger>
            </Tabs.List>
            <Tabs.Content value="direct">
              <PickPeople model={props.model} chosen={[]} onChosen={(chosen) => void direct(chosen)} autofocus />
            </Tabs.Content>
            <Tabs.Content value="group">
              <form onSubmit={(event) => void group(event)}>
                {titleField(t("new.group.title"), true)}
                <PickPeople model={props.model} chosen={people()} onChosen={setPeople} />
                {problem()}
                <Button look="main" type="submit" busy={busy()} class="button-wide">
                  {t("new.group.create")}
                </Button>
              </form>
            </Tabs.Content>
            <Tabs.Content value="channel">
              <form onSubmit={(event) => void channel(event)}>
                <p class="note">{t("new.channel.lead")}</p>
                {titleField(t("new.channel.title"), false)}
                <Field name="topic" label={t("new.channel.topic")} optional value={topic()} onInput={setTopic} error={errors()["topic"]} maxLength={500} lines />
                {problem()}
                <Button look="main" type="submit" busy={busy()} class="button-wide">
                  {t("new.channel.create")}
                </Button>
              </form>
            </Tabs.Content>
          </Tabs>
        }
      >
        {(channelMade) => (
          <div class="stack">
            <p class="note">{t("new.channel.share")}</p>
            <ShareLink link={channelMade().link} title={channelMade().title} />
            <Button
              look="main"
              class="button-wide"
              onClick={() => {
                props.onClose();
                open(channelMade().id);
              }}
            >
              {t("new.open")}
            </Button>
          </div>
        )}
      </Show>
    </Dialog>
  );
}
