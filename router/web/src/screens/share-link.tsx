// A channel's link: to copy, or to hand to the system's share sheet.

import { createSignal, Show } from "solid-js";
import { t } from "../i18n";
import type { Link } from "../net/http";
import { Button } from "../ui/button";

/** Works without the clipboard's permission too, and outside secure contexts. */
export const copy = async (text: string): Promise<void> => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    (document.querySelector("[role=dialog]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};

export const ShareLink = (props: { link: Link; title: string }) => {
  const [copied, setCopied] = createSignal(false);
  return (
    <div class="share">
      <input class="field-input share-url" readonly value={props.link.url} aria-label={t("details.link")} onFocus={(event) => event.currentTarget.select()} />
      <Button
        onClick={() => {
          void copy(props.link.url).then(() => setCopied(true));
          setTimeout(() => setCopied(false), 2_000);
        }}
      >
        <span aria-live="polite">{copied() ? t("copied") : t("copy")}</span>
      </Button>
      <Show when={typeof navigator.share === "function"}>
        <Button onClick={() => void navigator.share({ title: props.title, url: props.link.url }).catch(() => {})}>{t("share")}</Button>
      </Show>
    </div>
  );
};
