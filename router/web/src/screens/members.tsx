// Who is in it: by joining, in pages, with what an admin may do.

import { DropdownMenu } from "@kobalte/core/dropdown-menu";
import { createSignal, For, onMount, Show } from "solid-js";
import { t } from "../i18n";
import { ApiError, type Member } from "../net/http";
import type { Profile, Role } from "../protocol";
import type { Kept } from "../store/state";
import { nameOf } from "../text/names";
import { date } from "../text/time";
import { createAsked, Shown } from "../ui/asked";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { ask } from "../ui/dialog";
import { isTouch } from "../ui/focus";
import { Dots } from "../ui/icons";
import { say, sayError } from "../ui/toast";
import { block, blockedBy, type Blocks } from "../view/blocks";
import type { Model } from "../view/model";
import { personName } from "../view/titles";
import { PickPeople } from "./pick-people";
import { talkTo } from "./search";

export const Members = (props: { model: Model; kept: Kept; isAdmin: boolean }) => {
  const [adds, setAdds] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const id = () => props.kept.info.conversation_id;
  const blocks = blockedBy(props.model);

  const count = (): void => {
    // Only a number is lost without it.
    void props.model.http.conversation(id()).then((now) => props.model.counted(id(), now.member_count), () => {});
  };
  /** From the first page on, as far as it was wanted. */
  const known = createAsked(async () => {
    count();
    const { members, next_cursor } = await props.model.http.members(id());
    return { members, cursor: next_cursor };
  });
  const change = (how: (members: Member[]) => Member[]): void => known.change((now) => ({ ...now, members: how(now.members) }));
  const more = async (from: string): Promise<void> => {
    setBusy(true);
    try {
      const page = await props.model.http.members(id(), from);
      known.change((now) => {
        // Meanwhile it began anew.
        if (now.cursor !== from) return now;
        const here = new Set(now.members.map((m) => m.user_id));
        return { members: [...now.members, ...page.members.filter((m) => !here.has(m.user_id))], cursor: page.next_cursor };
      });
    } catch (error) {
      sayError(error);
    }
    setBusy(false);
  };

  /** Does it and shows it; when it was refused, how it is. */
  const act = async <T,>(doing: Promise<T>, done: (answer: T) => void): Promise<void> => {
    try {
      done(await doing);
      count();
    } catch (error) {
      if (error instanceof ApiError && error.code === "conflict") say(t("error.last_admin"));
      else sayError(error);
      await known.load();
    }
  };
  const setRole = (user: string, role: Role): Promise<void> =>
    act(props.model.http.setRole(id(), user, role), () => change((all) => all.map((m) => (m.user_id === user ? { ...m, role } : m))));
  const remove = async (user: string): Promise<void> => {
    const title = t("details.remove.confirm", { name: personName(props.model, user) });
    if (!(await ask({ title, lead: t("details.remove.lead"), yes: t("details.remove"), danger: true }))) return;
    await act(props.model.http.removeMember(id(), user), () => change((all) => all.filter((m) => m.user_id !== user)));
  };
  /** New ones are the last to have joined. */
  const add = (users: string[]): Promise<void> =>
    act(props.model.http.addMembers(id(), users), ({ added, not_added }) => {
      say(not_added.length > 0 ? t("new.not_added", { count: not_added.length }) : t("details.added", { count: added.length }));
      const joined_at = new Date().toISOString();
      const joined = added.map((user_id): Member => ({ user_id, role: "member", joined_at }));
      known.change((now) => (now.cursor === null ? { ...now, members: [...now.members, ...joined] } : now));
    });

  return (
    <section class="stack" aria-label={t("details.members")}>
      <div class="section-head">
        <h3 class="section-title">{t("details.members")}</h3>
        <Button look="plain" onClick={() => setAdds(!adds())}>{t("details.invite")}</Button>
      </div>
      <Show when={adds()}>
        <Add
          model={props.model}
          known={new Set(known.value()?.members.map((m) => m.user_id))}
          onAdd={(people) => {
            setAdds(false);
            void add(people.map((p) => p.user_id));
          }}
        />
      </Show>
      <Shown of={known}>{(list) => (
      <ul class="members">
        <For each={list().members}>
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
                <MemberMenu
                  model={props.model}
                  member={member}
                  isAdmin={props.isAdmin}
                  blocks={blocks}
                  onRole={(role) => void setRole(member.user_id, role)}
                  onRemove={() => void remove(member.user_id)}
                />
              </Show>
            </li>
          )}
        </For>
      </ul>
      )}</Shown>
      <Show when={known.value()?.cursor}>{(next) => <Button busy={busy()} onClick={() => void more(next())}>{t("details.more")}</Button>}</Show>
    </section>
  );
};

const MemberMenu = (props: { model: Model; member: Member; isAdmin: boolean; blocks: Blocks; onRole: (role: Role) => void; onRemove: () => void }) => (
  <DropdownMenu placement="bottom-end" gutter={4}>
    <DropdownMenu.Trigger class="icon-button" aria-label={t("details.actions", { name: personName(props.model, props.member.user_id) })}>
      <Dots />
    </DropdownMenu.Trigger>
    <DropdownMenu.Portal>
      <DropdownMenu.Content class="menu">
        <DropdownMenu.Item class="menu-item" onSelect={() => void talkTo(props.model, props.member.user_id)}>
          {t("details.message")}
        </DropdownMenu.Item>
        <Show
          when={props.blocks.has(props.member.user_id)}
          fallback={
            <DropdownMenu.Item class="menu-item" onSelect={() => void block(props.blocks, props.member.user_id, personName(props.model, props.member.user_id))}>
              {t("details.block")}
            </DropdownMenu.Item>
          }
        >
          <DropdownMenu.Item class="menu-item" onSelect={() => void props.blocks.unblock(props.member.user_id).catch(sayError)}>
            {t("details.unblock")}
          </DropdownMenu.Item>
        </Show>
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
  let box!: HTMLDivElement;
  onMount(() => isTouch() || box.querySelector("input")?.focus());
  return (
    <div ref={box} class="add">
      <PickPeople model={props.model} chosen={people()} without={props.known} onChosen={setPeople} />
      <Button look="main" disabled={people().length === 0} onClick={() => props.onAdd(people())}>
        {t("details.add")}
      </Button>
    </div>
  );
};
