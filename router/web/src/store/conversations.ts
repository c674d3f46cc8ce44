// Conversations as the server tells them: pages of a sync, pushes, read marks, and what is kept in memory of each.

import type { Conversation, ConversationId, LeftReason, Message, Seq, ServerFrame } from "../protocol";
import { GRACE_MS } from "./history";
import { isMember, type Kept, type Viewing } from "./state";
import type { Work } from "./work";

/** Messages kept in memory of a conversation that nobody looks at, and when they are cut down to that. */
const UNSEEN = 40;
const UNSEEN_AT_MOST = 80;
/** The same while it is open and its newest messages are shown. */
const SEEN = 400;
const SEEN_AT_MOST = 800;
/** A sync that leaves out more than this is not filled: older ones are read when somebody scrolls there. */
const GAP = 100;
/** Messages kept on disk of each conversation, counted from the newest. */
export const ON_DISK = 1_000;

export type Source = "push" | "sync" | "history";

export class Conversations {
  constructor(private readonly work: Work) {}

  // === syncs ===

  page(frame: ServerFrame & { type: "sync" }): void {
    const { work } = this;
    const { state } = work;
    if (state.phase === "syncing" && state.pages === "none") {
      state.pages = frame.full ? "full" : "partial";
      if (frame.full) for (const kept of state.conversations.values()) kept.stale = true;
    }
    for (const { messages, ...conversation } of frame.conversations) {
      this.listed(conversation, "sync");
      const kept = state.conversations.get(conversation.conversation_id);
      if (kept === undefined) continue;
      this.makeRoom(kept, messages);
      for (const message of messages) this.message(message, "sync");
      this.trim(kept);
      work.history.look(kept, work.now);
      this.wantPreview(kept);
    }
    for (const { conversation_id, left_seq, reason } of frame.left) this.left(conversation_id, left_seq, reason);
  }

  /**
   * Where too much was missed, what is here no longer joins what came: memory begins anew. Where nothing is here, it
   * begins with what came.
   */
  private makeRoom(kept: Kept, messages: readonly Message[]): void {
    const first = messages[0]?.seq ?? kept.head + 1;
    const last = kept.messages.at(-1)?.seq ?? kept.floor - 1;
    if (first > last + 1 + GAP) this.beginAt(kept, first);
    else if (kept.messages.length === 0) kept.floor = Math.max(Math.min(first, kept.floor), kept.info.first_seq);
  }

  private beginAt(kept: Kept, floor: Seq): void {
    kept.messages = [];
    kept.floor = floor;
    kept.older = { is: "idle" };
    this.work.touched.cut.set(kept.info.conversation_id, floor);
    this.work.touch(kept);
  }

  /** After a full sync: what was not listed is no longer this person's. */
  dropStale(): void {
    const { state } = this.work;
    for (const kept of [...state.conversations.values()]) if (kept.stale) this.forget(kept.info.conversation_id);
  }

  private forget(id: ConversationId): void {
    const { state, touched } = this.work;
    state.conversations.delete(id);
    touched.conversations.add(id);
    touched.gone.add(id);
    if (state.drafts.delete(id)) touched.drafts.add(id);
  }

  // === conversations ===

  listed(info: Conversation, source: Source): void {
    const { work } = this;
    const kept = work.state.conversations.get(info.conversation_id);
    if (kept === undefined) {
      const fresh = anew(info);
      work.state.conversations.set(info.conversation_id, fresh);
      work.touch(fresh);
      if (source !== "sync") this.wantPreview(fresh);
      return;
    }
    work.touch(kept);
    const wasLeft = kept.left !== null;
    kept.left = null;
    if (kept.stale) {
      // A full sync: all is forgotten, and what is listed taken.
      kept.stale = false;
      kept.readThere = info.read_seq;
      kept.read = Math.min(Math.max(kept.read, info.read_seq), info.head_seq);
      kept.head = kept.listedHead = info.head_seq;
      kept.last = null;
      kept.fetch = { is: "idle" };
      this.beginAt(kept, info.head_seq + 1);
      work.touched.cut.set(info.conversation_id, Number.MAX_SAFE_INTEGER);
    }
    if (info.first_seq > kept.info.first_seq) {
      kept.messages = kept.messages.filter((m) => m.seq >= info.first_seq);
      kept.floor = Math.max(kept.floor, info.first_seq);
      if (kept.last !== null && kept.last.seq < info.first_seq) kept.last = null;
      work.touched.cut.set(info.conversation_id, info.first_seq);
      kept.readThere = info.read_seq;
    }
    kept.head = Math.max(kept.head, info.head_seq);
    kept.read = Math.max(kept.read, info.read_seq);
    kept.readThere = Math.max(kept.readThere, info.read_seq);
    if (source === "sync" || wasLeft) {
      kept.listedHead = Math.max(kept.listedHead, info.head_seq);
      if (kept.fetch.is === "hopeless") kept.fetch = { is: "idle" };
    }
    if (wasLeft && kept.older.is === "refused") kept.older = { is: "idle" };
    kept.info = info;
    if (source !== "sync") {
      if (wasLeft) this.makeRoom(kept, []);
      work.history.look(kept, work.now + GRACE_MS);
      this.wantPreview(kept);
    }
  }

  /** The answer of a call, which may be older than what came since. */
  listedByCall(info: Conversation, last: Message | null): void {
    const known = this.work.state.conversations.get(info.conversation_id);
    if (known === undefined || known.left !== null) this.listed(info, "push");
    if (last !== null) this.message(last, "push");
  }

  /** How many members there are now. Of large ones no frame tells it. */
  counted(id: ConversationId, members: number): void {
    const kept = this.work.state.conversations.get(id);
    if (kept === undefined || kept.info.member_count === members) return;
    kept.info = { ...kept.info, member_count: members };
    this.work.touch(kept);
  }

  /** The list shows the newest message: one that came without any is asked for some. */
  private wantPreview(kept: Kept): void {
    if (kept.messages.length === 0 && kept.head >= kept.info.first_seq && kept.floor > kept.head) {
      this.work.history.older(kept.info.conversation_id);
    }
  }

  left(id: ConversationId, seq: Seq, reason: LeftReason): void {
    const { work } = this;
    const kept = work.state.conversations.get(id);
    if (kept === undefined) return;
    kept.stale = false;
    kept.left = { seq, reason };
    kept.listedHead = Math.max(kept.listedHead, reason === "hidden" ? kept.listedHead : seq);
    kept.head = Math.max(kept.head, seq);
    work.touch(kept);
    if (reason !== "hidden" && work.state.drafts.delete(id)) work.touched.drafts.add(id);
    work.history.look(kept, work.now + GRACE_MS);
  }

  // === messages ===

  pushed(messages: readonly Message[]): void {
    for (const message of messages) this.message(message, "push");
  }

  message(message: Message, source: Source): void {
    const { work } = this;
    const { state, touched } = work;
    const own = message.sender_id === state.me;
    if (own && work.outbox.settle(message.client_message_id) !== undefined) work.outbox.write();
    const kept = state.conversations.get(message.conversation_id);
    if (kept === undefined || message.seq < kept.info.first_seq) return;
    work.touch(kept);
    kept.head = Math.max(kept.head, message.seq);
    if (own) {
      kept.read = Math.max(kept.read, message.seq);
      kept.readThere = Math.max(kept.readThere, message.seq);
    }
    if (message.seq < kept.floor || !insert(kept, message)) return;
    touched.added.push(message);
    if (kept.last === null || message.seq >= kept.last.seq) kept.last = message;
    if (source !== "push") return;
    if (!own && message.seq > kept.read && isMember(kept)) work.effects.push({ is: "arrived", message });
    this.trim(kept);
    if (kept.messages.length !== message.seq - kept.floor + 1) work.history.look(kept, work.now + GRACE_MS);
  }

  // === read marks ===

  readUpTo(id: ConversationId, seq: Seq): void {
    const { work } = this;
    const kept = work.state.conversations.get(id);
    const upTo = kept === undefined ? 0 : Math.min(seq, kept.head);
    if (kept === undefined || upTo <= kept.read) return;
    kept.read = upTo;
    work.touch(kept);
    this.sayRead(kept);
  }

  readThere(id: ConversationId, read: Seq, unread: number): void {
    const { work } = this;
    const kept = work.state.conversations.get(id);
    if (kept === undefined) return;
    kept.read = Math.max(kept.read, read);
    kept.readThere = Math.max(kept.readThere, read);
    kept.head = Math.max(kept.head, read + unread);
    work.touch(kept);
  }

  /** What was read while away. */
  sayReadMarks(): void {
    for (const kept of this.work.state.conversations.values()) this.sayRead(kept);
  }

  private sayRead(kept: Kept): void {
    const { work } = this;
    if (work.state.phase !== "live" || kept.read <= kept.readThere || !isMember(kept)) return;
    const ref = work.ref();
    const { conversation_id } = kept.info;
    work.state.asked.set(ref, { what: "read", at: work.now });
    work.effects.push({ is: "say", frame: { type: "read", ref, conversation_id, seq: kept.read } });
  }

  // === memory ===

  viewing(tab: string, viewing: Viewing | null): void {
    const { state, touched } = this.work;
    const before = state.viewing.get(tab)?.conversation_id;
    if (viewing === null) state.viewing.delete(tab);
    else state.viewing.set(tab, viewing);
    touched.viewing = true;
    const left = before == null ? undefined : state.conversations.get(before);
    if (left !== undefined) this.trim(left);
  }

  /** Cuts what nobody looks at. It can be read again from disk or from the server. */
  private trim(kept: Kept): void {
    let [keep, atMost] = [UNSEEN, UNSEEN_AT_MOST];
    for (const viewing of this.work.state.viewing.values()) {
      if (viewing.conversation_id !== kept.info.conversation_id) continue;
      if (!viewing.atNewest) return;
      [keep, atMost] = [SEEN, SEEN_AT_MOST];
    }
    if (kept.messages.length <= atMost) return;
    kept.messages = kept.messages.slice(-keep);
    kept.floor = kept.messages[0]?.seq ?? kept.floor;
    if (kept.older.is === "refused") kept.older = { is: "idle" };
    this.work.touch(kept);
  }
}

const anew = (info: Conversation): Kept => ({
  info,
  head: info.head_seq,
  read: info.read_seq,
  readThere: info.read_seq,
  listedHead: info.head_seq,
  messages: [],
  // Older ones are read when they are looked at.
  floor: info.head_seq + 1,
  last: null,
  left: null,
  fetch: { is: "idle" },
  older: { is: "idle" },
  stale: false,
});

/** Whether it is new. Messages come nearly always in order. The array is made anew: what is shown is never changed. */
const insert = (kept: Kept, message: Message): boolean => {
  const { messages } = kept;
  let at = messages.length;
  while (at > 0 && (messages[at - 1]?.seq ?? 0) > message.seq) at -= 1;
  if (messages[at - 1]?.seq === message.seq) return false;
  kept.messages = at === messages.length ? [...messages, message] : messages.toSpliced(at, 0, message);
  return true;
};
