// Whom this person has blocked: asked for once, when it first matters.

import { createSignal } from "solid-js";
import type { Model } from "./model";

export type Blocks = {
  has(user: string): boolean;
  all(): string[];
  block(user: string): Promise<void>;
  unblock(user: string): Promise<void>;
  reload(): Promise<void>;
};

const known = new WeakMap<Model, Blocks>();

export const blockedBy = (model: Model): Blocks => {
  let blocks = known.get(model);
  if (blocks === undefined) known.set(model, (blocks = make(model)));
  return blocks;
};

const make = (model: Model): Blocks => {
  const [ids, setIds] = createSignal<ReadonlySet<string>>(new Set());
  const reload = async (): Promise<void> => {
    const { user_ids } = await model.http.blocks();
    setIds(new Set(user_ids));
  };
  reload().catch(() => {});
  return {
    has: (user) => ids().has(user),
    all: () => [...ids()],
    block: async (user) => {
      await model.http.block(user);
      setIds(new Set([...ids(), user]));
    },
    unblock: async (user) => {
      await model.http.unblock(user);
      setIds(new Set([...ids()].filter((id) => id !== user)));
    },
    reload,
  };
};
