// The list of shortcuts.

import { For } from "solid-js";
import { t, type Key } from "../i18n";
import { Dialog } from "../ui/dialog";
import { KEYS, singleKeys, type Action } from "../view/shortcuts";

export default function Keys(props: { onClose: () => void }) {
  const rows: [Key, string[]][] = [
    ...(Object.keys(KEYS) as Action[])
      .filter((action) => singleKeys() || KEYS[action].length > 1 || action === "close")
      .map((action): [Key, string[]] => [`keys.${action}`, KEYS[action]]),
    ["keys.send", ["Enter"]],
    ["keys.newline", ["Shift", "Enter"]],
  ];
  return (
    <Dialog title={t("keys.title")} onClose={props.onClose}>
      <dl class="keys">
        <For each={rows}>
          {([name, keys]) => (
            <div class="keys-row">
              <dt>{t(name)}</dt>
              <dd>
                <For each={keys}>{(key) => <kbd>{key}</kbd>}</For>
              </dd>
            </div>
          )}
        </For>
      </dl>
    </Dialog>
  );
}
