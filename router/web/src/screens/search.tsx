// One search for conversations that one has and people that one does not.

import { Search as Base } from "@kobalte/core/search";
import { createEffect, createMemo, createSignal, Match, on, onCleanup, Show, Switch } from "solid-js";
import { t } from "../i18n";
import type { Conversation, Profile } from "../protocol";
import { isListed } from "../store/state";
import { nameOf } from "../text/names";
import { Avatar } from "../ui/avatar";
import { goOnWriting } from "../ui/focus";
import { Close, KindIcon, Search as Glass } from "../ui/icons";
import { sayError } from "../ui/toast";
import { Failed, Waiting } from "../ui/asked";
import { sentence } from "../view/errors";
import { uuidv7 } from "../view/uuid";
import type { Model } from "../view/model";
import { open } from "../view/place";
import { titleOf } from "../view/titles";

/** After the last key. */
const ASK_AFTER_MS = 200;
const CONVERSATIONS = 8;

export type Found =
  | { is: "conversation"; id: string; kind: Conversation["kind"]; title: string; username: string; image: string | null; avatar: string }
  | { is: "person"; id: string; title: string; profile: Profile };

const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** How far the asking is, and why it went wrong. */
type Progress = { is: "asking" } | { is: "answered" } | { is: "failed"; why: string };
type PeopleSearch = { people: () => Profile[]; progress: () => Progress; again: () => void };

/** People found by name, asked a moment after the last key. */
export const createPeopleSearch = (model: Model, query: () => string): PeopleSearch => {
  const [answer, setAnswer] = createSignal<{ to: string; users: Profile[] }>({ to: "", users: [] });
  const [progress, setProgress] = createSignal<Progress>({ is: "asking" });
  const [tries, setTries] = createSignal(0);
  createEffect(
    on([query, tries], ([typed]) => {
      const to = typed.trim();
      setProgress({ is: "asking" });
      if (to === "") return setAnswer({ to, users: [] });
      let current = true;
      const timer = setTimeout(async () => {
        try {
          const { users } = await model.http.search(to.slice(0, 64));
          if (!current) return;
          setAnswer({ to, users });
          setProgress({ is: "answered" });
        } catch (error) {
          if (current) setProgress({ is: "failed", why: sentence(error) });
        }
      }, ASK_AFTER_MS);
      onCleanup(() => {
        current = false;
        clearTimeout(timer);
      });
    }),
  );
  /** While the next answer is on its way, those of the last one that it can only be about. */
  const people = createMemo(() => {
    const { to, users } = answer();
    const typed = query().trim();
    if (to === typed) return users;
    const words = folded(typed).split(/\s+/u);
    return users.filter((user) => words.every((word) => folded(`${user.display_name} ${user.username}`).includes(word)));
  });
  return { people, progress, again: () => setTries(tries() + 1) };
};

/** Empties it, for what listens to it too. */
export const empty = (input: HTMLInputElement): void => {
  input.value = "";
  input.dispatchEvent(new InputEvent("input", { bubbles: true }));
};

/** Below what was found: that there may be more, why there is not, or that nothing was found. */
export const SearchEnd = (props: { search: PeopleSearch; query: string; none: boolean; input: HTMLInputElement }) => {
  const why = () => {
    const progress = props.search.progress();
    return progress.is === "failed" ? progress.why : "";
  };
  const retry = (): void => {
    props.search.again();
    // The button goes with the sentence.
    props.input.focus();
  };
  return (
    <Switch>
      <Match when={props.search.progress().is === "answered"}>
        <Show when={props.none}>
          <p class="found-none">{t("search.none", { query: props.query.trim() })}</p>
        </Show>
      </Match>
      <Match when={why() !== ""}>
        <Failed why={why()} onRetry={retry} />
      </Match>
      <Match when={true}>
        <Waiting />
      </Match>
    </Switch>
  );
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

/** Opens the direct conversation with somebody, made if need be. A hidden one comes back to the list. */
export const talkTo = async (model: Model, user: string): Promise<void> => {
  const make = async (): Promise<Conversation> => {
    const { conversation } = await model.http.create({ kind: "direct", user_id: user }, uuidv7());
    model.listed(conversation);
    return conversation;
  };
  const known = model.directWith(user);
  if (known === undefined) return make().then((made) => open(made.conversation_id), sayError);
  open(known.info.conversation_id);
  if (!isListed(known)) void make().catch(sayError);
};

export const Search = (props: { model: Model; query: string; onQuery: (query: string) => void; searching: number }) => {
  let input!: HTMLInputElement;
  const search = createPeopleSearch(props.model, () => props.query);

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
      conversations.push({ is: "conversation", id, kind: kept.info.kind, title, username: peer?.username ?? "", image: peer?.image_url ?? null, avatar: kept.info.peer_id ?? id });
      if (conversations.length >= CONVERSATIONS) break;
    }
    // Also whose conversation is hidden.
    const shown = new Set(conversations.map((c) => c.is === "conversation" && c.avatar));
    const others = search.people().filter((p) => !shown.has(p.user_id));
    return [...conversations, ...others.map((p): Found => ({ is: "person", id: p.user_id, title: nameOf(p, p.username), profile: p }))];
  });

  const clear = (): void => {
    props.onQuery("");
    empty(input);
  };
  const chosen = async (one: Found | null): Promise<void> => {
    if (one === null) return;
    clear();
    input.blur();
    if (one.is === "conversation") open(one.id);
    else await talkTo(props.model, one.id);
    // After the list has done with the keys; it may be the one that is open.
    setTimeout(goOnWriting);
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
      onChange={(one: Found | null) => void chosen(one)}
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
            if (event.isComposing) return;
            if (event.key === "Escape") {
              clear();
              input.blur();
            }
            // The best one, when none is chosen by arrow.
            const best = found()[0];
            if (event.key === "Enter" && best !== undefined && !input.hasAttribute("aria-activedescendant")) {
              event.preventDefault();
              void chosen(best);
            }
          }}
        />
        <Show when={props.query !== ""}>
          <button
            type="button"
            class="icon-button search-clear"
            aria-label={t("search.clear")}
            onClick={() => {
              clear();
              input.focus();
            }}
          >
            <Close />
          </button>
        </Show>
      </Base.Control>
      <Show when={props.query.trim() !== ""}>
        <div class="found">
          <Base.Listbox class="found-list" aria-label={t("search")} />
          <SearchEnd search={search} query={props.query} none={found().length === 0} input={input} />
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
      <Show when={props.found.is === "person" ? props.found.profile.username : props.found.username}>
        {(username) => <span class="found-username">@{username()}</span>}
      </Show>
    </Base.ItemLabel>
  </Base.Item>
);
