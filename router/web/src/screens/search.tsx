// One search for conversations that one has and people that one does not.

import { Search as Base } from "@kobalte/core/search";
import { createEffect, createMemo, createSignal, on, onCleanup, Show } from "solid-js";
import { t } from "../i18n";
import type { Conversation, Profile } from "../protocol";
import { nameOf } from "../text/names";
import { Avatar } from "../ui/avatar";
import { KindIcon, Search as Glass } from "../ui/icons";
import { sayError } from "../ui/toast";
import { uuidv7 } from "../view/uuid";
import type { Model } from "../view/model";
import { open } from "../view/place";
import { titleOf } from "../view/titles";

/** After the last key. */
const ASK_AFTER_MS = 200;
const CONVERSATIONS = 8;

export type Found =
  | { is: "conversation"; id: string; kind: Conversation["kind"]; title: string; image: string | null; avatar: string }
  | { is: "person"; id: string; title: string; profile: Profile };

/** People found by name, asked a moment after the last key. */
export const createPeopleSearch = (model: Model, query: () => string) => {
  const [people, setPeople] = createSignal<Profile[]>([]);
  const [answered, setAnswered] = createSignal("");
  createEffect(
    on(query, (typed) => {
      const asked = typed.trim();
      if (asked === "") {
        setPeople([]);
        setAnswered("");
        return;
      }
      let current = true;
      const timer = setTimeout(async () => {
        try {
          const { users } = await model.http.search(asked.slice(0, 64));
          if (current) {
            setPeople(users);
            setAnswered(asked);
          }
        } catch (error) {
          if (current) {
            setPeople([]);
            sayError(error);
          }
        }
      }, ASK_AFTER_MS);
      onCleanup(() => {
        current = false;
        clearTimeout(timer);
      });
    }),
  );
  return { people, answered };
};

/** What a screen reader says while one searches. */
export const searchWords = () => ({
  focusAnnouncement: (name: string, chosen: boolean) => (chosen ? t("search.chosen", { name }) : name),
  // Its type allows for no other words than its own.
  countAnnouncement: (count: number) => t("search.count", { count }) as "one option available",
  selectedAnnouncement: (name: string) => t("search.chosen", { name }),
  triggerLabel: t("search"),
  listboxLabel: t("search"),
});

/** Opens the direct conversation with somebody, made if need be. */
export const talkTo = async (model: Model, user: string): Promise<void> => {
  const known = model.directWith(user);
  if (known !== undefined) return open(known);
  try {
    const { conversation } = await model.http.create({ kind: "direct", user_id: user }, uuidv7());
    model.listed(conversation);
    open(conversation.conversation_id);
  } catch (error) {
    sayError(error);
  }
};

const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

export const Search = (props: { model: Model; query: string; onQuery: (query: string) => void; searching: number }) => {
  let input!: HTMLInputElement;
  const { people, answered } = createPeopleSearch(props.model, () => props.query);

  createEffect(
    on(
      () => props.searching,
      (times) => {
        if (times > 0) input.focus();
      },
    ),
  );

  const found = createMemo((): Found[] => {
    const typed = folded(props.query.trim());
    if (typed === "") return [];
    const conversations: Found[] = [];
    for (const id of props.model.order()) {
      const kept = props.model.conversation(id);
      if (kept === undefined) continue;
      const title = titleOf(props.model, kept);
      const peer = kept.info.peer_id === null ? undefined : props.model.person(kept.info.peer_id);
      if (!folded(`${title} ${peer?.username ?? ""}`).includes(typed)) continue;
      conversations.push({ is: "conversation", id, kind: kept.info.kind, title, image: peer?.image_url ?? null, avatar: kept.info.peer_id ?? id });
      if (conversations.length >= CONVERSATIONS) break;
    }
    const others = people().filter((p) => props.model.directWith(p.user_id) === undefined);
    return [...conversations, ...others.map((p): Found => ({ is: "person", id: p.user_id, title: nameOf(p, p.username), profile: p }))];
  });

  const chosen = (one: Found | null): void => {
    if (one === null) return;
    props.onQuery("");
    input.value = "";
    if (one.is === "conversation") open(one.id);
    else void talkTo(props.model, one.id);
  };

  return (
    <Base<Found>
      class="search"
      open={props.query.trim() !== ""}
      options={found()}
      optionValue="id"
      optionTextValue="title"
      optionLabel="title"
      value={null as unknown as Found}
      onChange={chosen}
      onInputChange={props.onQuery}
      debounceOptionsMillisecond={0}
      placeholder={t("search.placeholder")}
      translations={searchWords()}
      itemComponent={(item) => <FoundRow item={item.item} found={item.item.rawValue} />}
    >
      <Base.Control class="search-box" aria-label={t("search")}>
        <Glass />
        <Base.Input
          ref={input}
          class="search-input"
          aria-label={t("search")}
          aria-keyshortcuts="Control+K"
          onKeyDown={(event: KeyboardEvent) => {
            if (event.key === "Escape") {
              props.onQuery("");
              input.value = "";
              input.blur();
            }
          }}
        />
      </Base.Control>
      <Show when={props.query.trim() !== ""}>
        <div class="found">
          <Base.Listbox class="found-list" aria-label={t("search")} />
          <Show when={found().length === 0 && answered() === props.query.trim()}>
            <p class="found-none">{t("search.none", { query: props.query.trim() })}</p>
          </Show>
        </div>
      </Show>
    </Base>
  );
};

// Kobalte's item carries what it needs in its node.
const FoundRow = (props: { item: Parameters<typeof Base.Item>[0]["item"]; found: Found }) => (
  <Base.Item item={props.item} class="found-row">
    <Avatar
      id={props.found.is === "conversation" ? props.found.avatar : props.found.id}
      name={props.found.title}
      image={props.found.is === "conversation" ? props.found.image : props.found.profile.image_url}
      size="s"
    />
    <Base.ItemLabel class="found-text">
      <span class="found-line">
        <KindIcon kind={props.found.is === "conversation" ? props.found.kind : "direct"} />
        <bdi class="found-name">{props.found.title}</bdi>
      </span>{" "}
      <Show when={props.found.is === "person" && props.found}>
        {(person) => <span class="found-username">@{person().profile.username}</span>}
      </Show>
    </Base.ItemLabel>
  </Base.Item>
);
