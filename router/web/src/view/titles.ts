// How conversations and what was said in them are called.

import { t } from "../i18n";
import type { Kept } from "../store/state";
import { nameOf, safeName } from "../text/names";
import type { Model } from "./model";

export const personName = (model: Model, id: string): string =>
  id === model.me ? t("you") : nameOf(model.person(id), t("someone"));

export const titleOf = (model: Model, kept: Kept): string => {
  const { info } = kept;
  if (info.peer_id !== null) return nameOf(model.person(info.peer_id), t("someone"));
  const title = info.title === null ? "" : safeName(info.title);
  if (title !== "") return title;
  if (info.heroes.length === 0) return t("chat.just_you");
  const names = info.heroes.map((id) => nameOf(model.person(id), t("someone"))).join(", ");
  const more = info.member_count - 1 - info.heroes.length;
  return more > 0 ? t("chat.more_people", { names, count: more }) : names;
};

/** The newest message in a line. */
export const previewOf = (model: Model, kept: Kept): string => {
  const { last, info } = kept;
  if (last === null) return kept.head === 0 ? t("list.nothing") : "";
  const text = last.text.slice(0, 160).replace(/\s+/gu, " ");
  if (last.sender_id === model.me) return t("list.preview.you", { text });
  return info.kind === "direct" ? text : t("list.preview", { name: personName(model, last.sender_id), text });
};
