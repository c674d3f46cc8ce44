// How the network is: said only when it has been away for a moment, and quietly.

import { createEffect, createSignal, onCleanup, Show } from "solid-js";
import { t } from "../i18n";
import type { Model } from "../view/model";

const SAY_AFTER_MS = 1_500;

export const NetworkNote = (props: { model: Model }) => {
  const [late, setLate] = createSignal(false);
  createEffect(() => {
    setLate(false);
    if (props.model.live()) return;
    const timer = setTimeout(() => setLate(true), SAY_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });
  const text = () => {
    if (props.model.tooMany()) return t("net.too_many");
    if (!late()) return "";
    return props.model.phase().phase === "away" ? t("net.offline") : t("net.updating");
  };
  return (
    <div class="network" role="status">
      <Show when={text() !== ""}>
        <span class="network-note">{text()}</span>
      </Show>
    </div>
  );
};
