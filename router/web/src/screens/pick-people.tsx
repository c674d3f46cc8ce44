// Finding people by name: one, or several.

import { Search as Base } from "@kobalte/core/search";
import { createMemo, createSignal, For, Show } from "solid-js";
import { t } from "../i18n";
import type { Profile } from "../protocol";
import { nameOf } from "../text/names";
import { Avatar } from "../ui/avatar";
import { isTouch } from "../ui/focus";
import { Close, Search as Glass } from "../ui/icons";
import type { Model } from "../view/model";
import { createPeopleSearch, empty, SearchEnd, searchWords } from "./search";

export const PickPeople = (props: {
  model: Model;
  chosen: Profile[];
  /** Of those that are there already. */
  without?: ReadonlySet<string>;
  onChosen: (chosen: Profile[]) => void;
  autofocus?: boolean;
}) => {
  const [query, setQuery] = createSignal("");
  const search = createPeopleSearch(props.model, query);
  /** Whom one writes to anyway. */
  const familiar = createMemo((): Profile[] =>
    props.model
      .order()
      .flatMap((id) => {
        const peer = props.model.conversation(id)?.info.peer_id;
        const person = peer == null ? undefined : props.model.person(peer);
        return person === undefined ? [] : [person];
      })
      .slice(0, 30),
  );
  const options = createMemo(() => {
    const taken = new Set([...props.chosen.map((p) => p.user_id), ...(props.without ?? [])]);
    return (query().trim() === "" ? familiar() : search.people()).filter((p) => !taken.has(p.user_id));
  });
  let input!: HTMLInputElement;
  const clear = (): void => {
    setQuery("");
    empty(input);
  };
  const choose = (person: Profile | null): void => {
    if (person === null) return;
    clear();
    props.onChosen([...props.chosen, person]);
  };
  return (
    <div class="people">
      <Show when={props.chosen.length > 0}>
        <ul class="chips" aria-label={t("new.chosen")}>
          <For each={props.chosen}>
            {(person) => (
              <li class="chip">
                <bdi>{nameOf(person, "")}</bdi>
                <button
                  type="button"
                  class="chip-close"
                  aria-label={t("new.unchoose", { name: nameOf(person, "") })}
                  onClick={() => {
                    props.onChosen(props.chosen.filter((p) => p !== person));
                    if (!isTouch()) input.focus();
                  }}
                >
                  <Close />
                </button>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Base<Profile>
        class="people-search"
        open
        options={options()}
        optionValue="user_id"
        optionTextValue="display_name"
        optionLabel="display_name"
        value={null as unknown as Profile}
        onChange={choose}
        onInputChange={setQuery}
        debounceOptionsMillisecond={0}
        placeholder={t("new.people.placeholder")}
        translations={searchWords()}
        itemComponent={(item) => (
          <Base.Item item={item.item} class="found-row">
            <Avatar id={item.item.rawValue.user_id} name={nameOf(item.item.rawValue, "")} image={item.item.rawValue.image_url} size="s" />
            <Base.ItemLabel class="found-text">
              <bdi class="found-name">{nameOf(item.item.rawValue, "")}</bdi> <span class="found-username">@{item.item.rawValue.username}</span>
            </Base.ItemLabel>
          </Base.Item>
        )}
      >
        <Base.Control class="search-box" aria-label={t("new.people")}>
          <Glass />
          <Base.Input
            ref={(el: HTMLInputElement) => {
              input = el;
              el.autofocus = props.autofocus === true;
            }}
            class="search-input"
            aria-label={t("new.people")}
            onKeyDown={(event: KeyboardEvent) => {
              // The best one, when none is chosen by arrow.
              const best = options()[0];
              if (event.key !== "Enter" || event.isComposing || query().trim() === "" || input.hasAttribute("aria-activedescendant") || best === undefined) return;
              event.preventDefault();
              choose(best);
            }}
          />
        </Base.Control>
        <Base.Listbox class="found-list people-list" aria-label={t("new.people")} />
        <Show when={query().trim() === "" && options().length === 0}>
          <p class="found-none">{t("new.people.hint")}</p>
        </Show>
        <Show when={query().trim() !== ""}>
          <SearchEnd search={search} query={query()} none={options().length === 0} input={input} />
        </Show>
      </Base>
    </div>
  );
};
