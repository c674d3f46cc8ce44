// What happens to the store, and what comes out of it.

import type {
  ClientFrame,
  Conversation,
  ConversationId,
  Message,
  Seq,
  ServerFrame,
  User,
  UserId,
} from "../protocol";
import type { Viewing } from "./state";

export type Event =
  // The connection.
  | { is: "opened" }
  | { is: "closed" }
  | { is: "frame"; frame: ServerFrame }
  | { is: "tick" }
  // The person.
  | { is: "send"; conversation_id: ConversationId; client_message_id: string; text: string }
  | { is: "retry"; client_message_id: string }
  | { is: "discard"; client_message_id: string }
  | { is: "read"; conversation_id: ConversationId; seq: Seq }
  | { is: "draft"; conversation_id: ConversationId; text: string }
  | { is: "older"; conversation_id: ConversationId }
  | { is: "viewing"; tab: string; viewing: Viewing | null }
  // Answers of calls and of the disk.
  | { is: "listed"; conversation: Conversation; last: Message | null }
  | { is: "counted"; conversation_id: ConversationId; members: number }
  | { is: "people"; users: User[] }
  | { is: "disk"; conversation_id: ConversationId; below: Seq; messages: Message[] };

export type Effect =
  /** To be written to the connection. `hello` lacks the session's token: the store does not hold it. */
  | { is: "say"; frame: ClientFrame }
  /** The newest messages below this seq, from disk: answered by a `disk` event. */
  | { is: "load"; conversation_id: ConversationId; below: Seq }
  /** Somebody else's message came, not read yet. */
  | { is: "arrived"; message: Message };

/** What an event changed: what is shown anew, and what is written to disk. */
export type Touched = {
  conversations: Set<ConversationId>;
  /** Messages to be kept on disk. */
  added: Message[];
  /** Messages below this seq are no longer wanted on disk. */
  cut: Map<ConversationId, Seq>;
  /** Conversations that are no longer this person's. */
  gone: Set<ConversationId>;
  unsent: boolean;
  settled: string[];
  drafts: Set<ConversationId>;
  people: Set<UserId>;
  token: boolean;
  phase: boolean;
  viewing: boolean;
};

export type Outcome = { effects: Effect[]; touched: Touched };

export const untouched = (): Touched => ({
  conversations: new Set(),
  added: [],
  cut: new Map(),
  gone: new Set(),
  unsent: false,
  settled: [],
  drafts: new Set(),
  people: new Set(),
  token: false,
  phase: false,
  viewing: false,
});
