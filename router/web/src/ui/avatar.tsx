// Who: a picture, or letters on a colour of their own. With a dot for whoever is online.

import { createEffect, createSignal, Show } from "solid-js";
import { hueOf, initials } from "../text/names";
import { Person } from "./icons";

const HUES = 8;
/** The colours of whoever has this id, as `--ground` and `--ink`. */
export const hueClass = (id: string): string => `hue-${hueOf(id, HUES)}`;

export const Avatar = (props: { id: string; name: string; image: string | null | undefined; size: "s" | "m" | "l" | "xl"; online?: boolean | undefined }) => {
  const [broken, setBroken] = createSignal(false);
  createEffect(() => {
    void props.image;
    setBroken(false);
  });
  return (
    <span class={`avatar avatar-${props.size} ${hueClass(props.id)}`} aria-hidden="true">
      <Show when={props.image && !broken()} fallback={<Letters name={props.name} />}>
        <img
          src={`${props.image}?size=${props.size === "xl" ? 256 : 64}`}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setBroken(true)}
        />
      </Show>
      <Show when={props.online}>
        <span class="dot" />
      </Show>
    </span>
  );
};

/** Painted, not written: they are no text that a name of something would have to begin with. */
const Letters = (props: { name: string }) => (
  <Show when={initials(props.name)} fallback={<Person />}>
    {(letters) => <span class="avatar-letters" data-letters={letters()} />}
  </Show>
);
