// Whom this person has blocked: asked for when it first matters, and again after every time away.

import { createEffect, createRoot, on } from "solid-js";
import { t } from "../i18n";
import { createAsked, type Asked } from "../ui/asked";
import { ask } from "../ui/dialog";
import { sayError } from "../ui/toast";
import type { Model } from "./model";

export type Blocks = {
  all: Asked<ReadonlySet<string>>;
  has(user: string): boolean;
  block(user: string): Promise<void>;
  unblock(user: string): Promise<void>;
};

const known = new WeakMap<Model, Blocks>();

export const blockedBy = (model: Model): Blocks => {
  let blocks = known.get(model);
  if (blocks === undefined) known.set(model, (blocks = createRoot(() => make(model))));
  return blocks;
};

const make = (model: Model): Blocks => {
  const all = createAsked<ReadonlySet<string>>(async () => new Set((await model.http.blocks()).user_ids));
  // Others may have been blocked on another device.
  createEffect(on(model.live, (live) => live && void all.load(), { defer: true }));
  return {
    all,
    has: (user) => all.value()?.has(user) === true,
    block: async (user) => {
      await model.http.block(user);
      all.change((now) => new Set([...now, user]));
    },
    unblock: async (user) => {
      await model.http.unblock(user);
      all.change((now) => new Set([...now].filter((id) => id !== user)));
    },
  };
};

/** Asks before it does. */
export const block = async (blocks: Blocks, user: string, name: string): Promise<void> => {
  if (!(await ask({ title: t("details.block.confirm", { name }), lead: t("details.block.lead"), yes: t("details.block"), danger: true }))) return;
  await blocks.block(user).catch(sayError);
};
