// What this browser knows: plain data, so that it can be handed to another tab as it is.

import type { Conversation, ConversationId, LeftReason, Message, Seq, User, UserId } from "../protocol";

export type Phase = "away" | "greeted" | "syncing" | "live";

/** The fetching of a hole. */
export type Fetch =
  | { is: "idle" }
  | { is: "waits"; at: number; fruitless: number }
  | { is: "asked"; fruitless: number }
  /** Given up: history does not have it, or is not given. */
  | { is: "hopeless" };

/** The fetching of what lies before the oldest message in memory: first from disk, then from the server. */
export type Older =
  | { is: "idle" }
  | { is: "disk"; below: Seq }
  | { is: "waits"; at: number }
  | { is: "asked"; below: Seq }
  | { is: "refused" };

/** A conversation as it is kept. */
export type Kept = {
  info: Conversation;
  head: Seq;
  /** How far this person has read, known to the server or not yet. */
  read: Seq;
  /** How far the server knows it. */
  readThere: Seq;
  /** What was promised to be there; what lies beyond is on its way. */
  listedHead: Seq;
  /** From `floor` on, ascending. A hole among them is being fetched. */
  messages: Message[];
  /** The lowest seq that is wanted in memory. */
  floor: Seq;
  /** The newest message, also when no message is in memory. */
  last: Message | null;
  left: { seq: Seq; reason: LeftReason } | null;
  fetch: Fetch;
  older: Older;
  /** Kept from before a full sync, not listed by it yet. */
  stale: boolean;
};

/** An own message that has no place yet. */
export type Unsent = {
  conversation_id: ConversationId;
  client_message_id: string;
  text: string;
  /** When it was written. */
  at: number;
  status:
    | { is: "waits"; at: number }
    | { is: "asked"; ref: number }
    /** Refused for good: the person decides. */
    | { is: "failed"; code: string; detail: string };
  attempts: number;
};

export type Ask =
  | { what: "send"; id: string; at: number }
  | { what: "read"; at: number }
  | { what: "hole"; conversation_id: ConversationId; from: Seq; at: number }
  | { what: "older"; conversation_id: ConversationId; below: Seq; at: number };

/** What a tab shows. */
export type Viewing = { conversation_id: ConversationId | null; atNewest: boolean; visible: boolean };

export type Person = User & { at: number };

export type State = {
  me: UserId;
  phase: Phase;
  /** What the first page of a sync said. */
  pages: "none" | "full" | "partial";
  resync: boolean;
  /** Whether a sync was ever taken in whole: before, an empty list means nothing. */
  everSynced: boolean;
  token: string | null;
  conversations: Map<ConversationId, Kept>;
  /** In the order in which they were written. */
  unsent: Unsent[];
  asked: Map<number, Ask>;
  nextRef: number;
  drafts: Map<ConversationId, string>;
  people: Map<UserId, Person>;
  viewing: Map<string, Viewing>;
  awaySince: number | null;
};

export const emptyState = (me: UserId): State => ({
  me,
  phase: "away",
  pages: "none",
  resync: false,
  everSynced: false,
  token: null,
  conversations: new Map(),
  unsent: [],
  asked: new Map(),
  nextRef: 1,
  drafts: new Map(),
  people: new Map(),
  viewing: new Map(),
  awaySince: null,
});

// === what follows from it ===

/** Whether it is in the person's list. */
export const isListed = (kept: Kept): boolean =>
  kept.left === null || (kept.left.reason === "hidden" && kept.head > kept.left.seq);

/** Whether this person can write there. */
export const isMember = (kept: Kept): boolean => kept.left === null || kept.left.reason === "hidden";

export const lastWanted = (kept: Kept): Seq =>
  kept.left !== null && kept.left.reason !== "hidden" ? Math.min(kept.left.seq, kept.head) : kept.head;

export const unread = (kept: Kept): number =>
  isMember(kept) ? Math.max(0, kept.head - Math.max(kept.read, kept.info.first_seq - 1)) : 0;

/** Whether there is more to read above what is in memory. */
export const hasOlder = (kept: Kept): boolean => kept.floor > kept.info.first_seq && kept.older.is !== "refused";

/** When something last happened in it, in milliseconds. */
export const lastActive = (kept: Kept): number =>
  Date.parse(kept.last !== null ? kept.last.sent_at : kept.info.created_at);

/** The first hole, both ends included, below what has come or was promised. */
export const hole = (kept: Kept): [Seq, Seq] | null => {
  const newest = kept.messages.at(-1)?.seq ?? 0;
  const end = Math.min(Math.max(newest, kept.listedHead), lastWanted(kept));
  if (kept.floor > end) return null;
  // Whole in nearly all cases: told by the count alone.
  if (newest >= end && kept.messages.length === newest - kept.floor + 1) return null;
  let expected = kept.floor;
  for (const { seq } of kept.messages) {
    if (seq > expected) return [expected, Math.min(seq - 1, end)];
    expected = seq + 1;
  }
  return expected <= end ? [expected, end] : null;
};
