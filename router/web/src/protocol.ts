// The public contract, as far as this client speaks it: objects, frames, codes.

export type UserId = string;
export type ConversationId = string;
export type Seq = number;

export type Profile = { user_id: UserId; username: string; display_name: string; image_url: string | null };
export type Presence = { online: boolean; last_seen: string | null };
export type User = Profile & { presence: Presence };
export type Me = User & { email: string };

export type Message = {
  conversation_id: ConversationId;
  seq: Seq;
  sender_id: UserId;
  client_message_id: string;
  sent_at: string;
  text: string;
};

export type Role = "member" | "admin";

export type Conversation = {
  conversation_id: ConversationId;
  kind: "direct" | "group" | "channel";
  title: string | null;
  topic: string | null;
  created_at: string;
  created_by: UserId | null;
  member_count: number;
  head_seq: Seq;
  role: Role;
  first_seq: Seq;
  read_seq: Seq;
  unread: number;
  peer_id: UserId | null;
  heroes: UserId[];
};

export type Route = { cell_id: number; socket_url: string };
export type LeftReason = "left" | "removed" | "hidden";

export type ClientFrame =
  | { type: "hello"; token: string; sync_token?: string }
  | { type: "send"; ref: number; conversation_id: ConversationId; client_message_id: string; text: string }
  | { type: "read"; ref: number; conversation_id: ConversationId; seq: Seq }
  | { type: "history"; ref: number; conversation_id: ConversationId; before?: Seq; after?: Seq; limit?: number }
  | { type: "sync"; sync_token: string }
  | { type: "ping"; ref?: number };

export type ServerFrame =
  | { type: "welcome"; user_id: UserId; session_id: string; cell_id: number; heartbeat_s: number }
  | {
      type: "sync";
      full: boolean;
      conversations: (Conversation & { messages: Message[] })[];
      left: { conversation_id: ConversationId; left_seq: Seq; reason: LeftReason }[];
    }
  | { type: "synced"; sync_token: string }
  | { type: "sent"; ref: number; conversation_id: ConversationId; client_message_id: string; seq: Seq; sent_at: string }
  | { type: "messages"; messages: Message[] }
  | { type: "conversation"; conversation: Conversation }
  | { type: "left"; conversation_id: ConversationId; left_seq: Seq; reason: LeftReason }
  | { type: "read"; ref?: number; conversation_id: ConversationId; read_seq: Seq; unread: number }
  | { type: "history"; ref: number; conversation_id: ConversationId; messages: Message[]; has_more: boolean }
  | { type: "checkpoint"; sync_token: string }
  | { type: "resync" }
  | { type: "error"; ref?: number; code: string; detail: string; retry_after_ms?: number }
  | { type: "moved" }
  | { type: "bye"; code: number; retry_after_ms: number }
  | { type: "pong"; ref?: number };

/** Characters (Unicode scalar values) and bytes that a message may have. */
export const TEXT_CHARS = 10_000;
export const TEXT_BYTES = 40_000;
/** People that one call may name, and entries of a page. */
export const PAGE = 100;

/** Close codes that say: do not come back as you are. */
export const CLOSED_UNAUTHENTICATED = 4100;
export const CLOSED_TOO_MANY = 4103;
export const isFinalClose = (code: number): boolean => code >= 4100 && code < 4200;

/** Whether the same may be asked again later. */
export const isRetryable = (code: string): boolean =>
  code === "rate_limited" || code === "internal" || code === "busy" || code === "unavailable";
