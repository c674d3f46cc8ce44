// Own messages without a place. In each conversation one is under way at a time, so that none is overtaken.

import { isRetryable, type ConversationId, type Message, type ServerFrame } from "../protocol";
import type { Unsent } from "./state";
import type { Work } from "./work";

const AGAIN_MS = 500;
const AGAIN_AT_MOST_MS = 30_000;

export class Outbox {
  constructor(private readonly work: Work) {}

  /** A new message, last in order. An id that waits already changes nothing. */
  add(conversation_id: ConversationId, client_message_id: string, text: string): void {
    const { state, touched, now } = this.work;
    if (this.find(client_message_id) !== undefined) return;
    state.unsent.push({ conversation_id, client_message_id, text, at: now, status: { is: "waits", at: now }, attempts: 0 });
    touched.unsent = true;
    this.write();
  }

  retry(id: string): void {
    const unsent = this.find(id);
    if (unsent?.status.is !== "failed") return;
    // It goes behind those written since, as the person sees it.
    unsent.status = { is: "waits", at: this.work.now };
    this.work.touched.unsent = true;
    this.write();
  }

  discard(id: string): void {
    if (this.find(id)?.status.is === "failed") this.settle(id);
  }

  /** Writes what may go. */
  write(): void {
    const { state, now } = this.work;
    if (state.phase !== "live" || state.unsent.length === 0) return;
    const busy = new Set<ConversationId>();
    for (const unsent of state.unsent) {
      if (unsent.status.is === "failed" || busy.has(unsent.conversation_id)) continue;
      busy.add(unsent.conversation_id);
      if (unsent.status.is === "waits" && unsent.status.at <= now) this.say(unsent);
    }
  }

  private say(unsent: Unsent): void {
    const { work } = this;
    const ref = work.ref();
    unsent.status = { is: "asked", ref };
    unsent.attempts += 1;
    work.touched.unsent = true;
    work.state.asked.set(ref, { what: "send", id: unsent.client_message_id, at: work.now });
    const { conversation_id, client_message_id, text } = unsent;
    work.effects.push({ is: "say", frame: { type: "send", ref, conversation_id, client_message_id, text } });
  }

  sent(frame: ServerFrame & { type: "sent" }): void {
    const { work } = this;
    const unsent = this.settle(frame.client_message_id);
    if (unsent !== undefined) {
      const message: Message = {
        conversation_id: frame.conversation_id,
        seq: frame.seq,
        sender_id: work.state.me,
        client_message_id: frame.client_message_id,
        sent_at: frame.sent_at,
        text: unsent.text,
      };
      work.conversations.message(message, "push");
    }
    this.write();
  }

  refused(id: string, frame: ServerFrame & { type: "error" }): void {
    const { work } = this;
    const unsent = this.find(id);
    if (unsent === undefined) return;
    if (isRetryable(frame.code)) {
      const wait = Math.max(frame.retry_after_ms ?? 0, AGAIN_MS * 2 ** Math.min(unsent.attempts - 1, 6));
      unsent.status = { is: "waits", at: work.now + Math.min(wait, AGAIN_AT_MOST_MS) };
    } else {
      unsent.status = { is: "failed", code: frame.code, detail: frame.detail };
    }
    work.touched.unsent = true;
    this.write();
  }

  /** Whether it arrived is not known: it goes again, and its id sees to it that it counts once. */
  doubt(id: string): void {
    const unsent = this.find(id);
    if (unsent?.status.is !== "asked") return;
    unsent.status = { is: "waits", at: this.work.now };
    this.work.touched.unsent = true;
  }

  doubtAll(): void {
    for (const unsent of this.work.state.unsent) this.doubt(unsent.client_message_id);
  }

  /** Takes one out: it has its place, or is given up. */
  settle(id: string): Unsent | undefined {
    const { state, touched } = this.work;
    const at = state.unsent.findIndex((u) => u.client_message_id === id);
    if (at < 0) return undefined;
    const [unsent] = state.unsent.splice(at, 1);
    touched.unsent = true;
    touched.settled.push(id);
    if (unsent?.status.is === "asked") state.asked.delete(unsent.status.ref);
    return unsent;
  }

  private find(id: string): Unsent | undefined {
    return this.work.state.unsent.find((u) => u.client_message_id === id);
  }
}
