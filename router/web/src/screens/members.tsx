// Who is in it: by joining, in pages, with what an admin may do.

import { DropdownMenu } from "@kobalte/core/dropdown-menu";
import { createSignal, For, onMount, Show } from "solid-js";
import { t } from "../i18n";
import { ApiError, type Member } from "../net/http";
import type { Profile } from "../protocol";
import type { Kept } from "../store/state";
import { nameOf } from "../text/names";
import { date } from "../text/time";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { ask } from "../ui/dialog";
import { Dots } from "../ui/icons";
import { say, sayError } from "../ui/toast";
import type { Model } from "../view/model";
import { personName } from "../view/titles";
import { PickPeople } from "./pick-people";
import { talkTo } from "./search";

export const Members = (props: { model: Model; kept: Kept; isAdmin: boolean }) => {
  const [members, setMembers] = createSignal<Member[]>([]);
  const [cursor, setCursor] = createSignal<string | null>(null);
  const [adds, setAdds] = createSignal(false);
  const id = () => props.kept.info.conversation_id;

  const count = (): void => {
    // Only a number is lost without it.
    void props.model.http.conversation(id()).then((now) => props.model.counted(id(), now.member_count), () => {});
  };
  const load = async (from?: string): Promise<void> => {
    if (from === undefined) count();
    try {
      const page = await props.model.http.members(id(), from);
      setMembers(from === undefined ? page.members : [...members(), ...page.members]);
      setCursor(page.next_cursor);
    } catch (error) {
      sayError(error);
    }
  };
  onMount(() => void load());

  /** Does it, then shows how it is now. */
  const act = async (doing: Promise<unknown>): Promise<void> => {
    try {
      await doing;
    } catch (error) {
      if (error instanceof ApiError && error.code === "conflict") say(t("error.last_admin"));
      else sayError(error);
    }
    await load();
  };
  const remove = async (user: string): Promise<void> => {
    const title = t("details.remove.confirm", { name: personName(props.model, user) });
    if (await ask({ title, lead: t("details.remove.lead"), yes: t("details.remove"), danger: true })) await act(props.model.http.removeMember(id(), user));
  };

  return (
    <section class="stack" aria-label={t("details.members")}>
      <div class="section-head">
        <h3 class="section-title">{t("details.members")}</h3>
        <Button look="plain" onClick={() => setAdds(!adds())}>{t("details.invite")}</Button>
      </div>
      <Show when={adds()}>
        <Add
          model={props.model}
          known={new Set(members().map((m) => m.user_id))}
          onAdd={async (people) => {
            setAdds(false);
            const adding = props.model.http.addMembers(id(), people.map((p) => p.user_id)).then(({ added, not_added }) => {
              say(not_added.length > 0 ? t("new.not_added", { count: not_added.length }) : t("details.added", { count: added.length }));
            });
            await act(adding);
          }}
        />
      </Show>
      <ul class="members">
        <For each={members()}>
          {(member) => (
            <li class="member">
              <Avatar id={member.user_id} name={nameOf(props.model.person(member.user_id), "")} image={props.model.person(member.user_id, "with presence")?.image_url} size="s" online={props.model.person(member.user_id)?.presence.online} />
              <span class="found-text">
                <bdi class="found-name">{personName(props.model, member.user_id)}</bdi>
                <span class="found-username">{t("details.joined", { date: date(member.joined_at) })}</span>
              </span>
              <Show when={member.role === "admin"}>
                <span class="tag">{t("details.admin")}</span>
              </Show>
              <Show when={member.user_id !== props.model.me}>
                <MemberMenu model={props.model} member={member} isAdmin={props.isAdmin} onRole={(role) => void act(props.model.http.setRole(id(), member.user_id, role))} onRemove={() => void remove(member.user_id)} />
              </Show>
            </li>
          )}
        </For>
      </ul>
      <Show when={cursor()}>{(next) => <Button onClick={() => void load(next())}>{t("details.more")}</Button>}</Show>
    </section>
  );
};

const MemberMenu = (props: { model: Model; member: Member; isAdmin: boolean; onRole: (role: "admin" | "member") => void; onRemove: () => void }) => (
  <DropdownMenu placement="bottom-end" gutter={4}>
    <DropdownMenu.Trigger class="icon-button" aria-label={t("details.actions", { name: personName(props.model, props.member.user_id) })}>
      <Dots />
    </DropdownMenu.Trigger>
    <DropdownMenu.Portal>
      <DropdownMenu.Content class="menu">
        <DropdownMenu.Item class="menu-item" onSelect={() => void talkTo(props.model, props.member.user_id)}>
          {t("details.message")}
        </DropdownMenu.Item>
        <Show when={props.isAdmin}>
          <DropdownMenu.Item class="menu-item" onSelect={() => props.onRole(props.member.role === "admin" ? "member" : "admin")}>
            {props.member.role === "admin" ? t("details.make_member") : t("details.make_admin")}
          </DropdownMenu.Item>
          <DropdownMenu.Item class="menu-item menu-danger" onSelect={props.onRemove}>
            {t("details.remove")}
          </DropdownMenu.Item>
        </Show>
      </DropdownMenu.Content>
    </DropdownMenu.Portal>
  </DropdownMenu>
);

const Add = (props: { model: Model; known: ReadonlySet<string>; onAdd: (people: Profile[]) => void }) => {
  const [people, setPeople] = createSignal<Profile[]>([]);
  return (
    <div class="add">
      <PickPeople model={props.model} chosen={people()} without={props.known} onChosen={setPeople} autofocus />
      <Button look="main" disabled={people().length === 0} onClick={() => props.onAdd(people())}>
        {t("details.add")}
      </Button>
    </div>
  );
};
