// The store: (state, event) -> state and effects. No I/O, no clock, no chance in it: all tabs of a browser apply the
// same events in the same order and so hold the same state; the one that leads carries the effects out.
//
// It follows what the contract says a client keeps: holes are fetched, duplicates dropped by seq, own messages sent
// again with their id until they have a place.

import { type ServerFrame } from "../protocol";
import { type Effect, type Event, type Outcome, untouched } from "./event";
import { FETCHES, History } from "./history";
import { Conversations } from "./conversations";
import { Outbox } from "./outbox";
import { emptyState, hole, type Kept, type State } from "./state";
import type { Work } from "./work";

/** A request without an answer for so long is taken for lost. */
export const ANSWER_WITHIN_MS = 20_000;

export class Store {
  readonly state: State;

  constructor(state: State | string) {
    this.state = typeof state === "string" ? emptyState(state) : state;
  }

  /** Takes an event in. */
  apply(event: Event, now: number): Outcome {
    const work = new Step(this.state, now);
    work.take(event);
    return { effects: work.effects, touched: work.touched };
  }

  /** When a `tick` has something to do; null: not before something else happens. */
  due(): number | null {
    const { state } = this;
    let due = Infinity;
    let fetches = 0;
    for (const ask of state.asked.values()) {
      due = Math.min(due, ask.at + ANSWER_WITHIN_MS);
      if (ask.what === "hole" || ask.what === "older") fetches += 1;
    }
    if (state.phase !== "live") return due === Infinity ? null : due;
    // What stands behind another one waits for that one's answer, and not for the clock.
    const busy = new Set<string>();
    for (const { conversation_id, status } of state.unsent) {
      if (status.is === "failed" || busy.has(conversation_id)) continue;
      busy.add(conversation_id);
      if (status.is === "waits") due = Math.min(due, status.at);
    }
    if (fetches < FETCHES) {
      for (const kept of state.conversations.values()) {
        if (kept.fetch.is === "waits") due = Math.min(due, kept.fetch.at);
        if (kept.older.is === "waits") due = Math.min(due, kept.older.at);
      }
    }
    return due === Infinity ? null : due;
  }

  /** Whether the connection is live and nothing that is known to exist is missing. */
  isWhole(): boolean {
    if (this.state.phase !== "live") return false;
    for (const kept of this.state.conversations.values()) if (hole(kept) !== null) return false;
    return true;
  }
}

// === one event ===

class Step implements Work {
  readonly effects: Effect[] = [];
  readonly touched = untouched();
  readonly history: History;
  readonly outbox: Outbox;
  readonly conversations: Conversations;

  constructor(
    readonly state: State,
    readonly now: number,
  ) {
    this.history = new History(this);
    this.outbox = new Outbox(this);
    this.conversations = new Conversations(this);
  }

  ref(): number {
    return this.state.nextRef++;
  }

  touch(kept: Kept): void {
    this.touched.conversations.add(kept.info.conversation_id);
  }

  take(event: Event): void {
    const { state } = this;
    switch (event.is) {
      case "opened":
        state.phase = "greeted";
        this.touched.phase = true;
        this.effects.push({
          is: "say",
          frame: { type: "hello", token: "", ...(state.token === null ? {} : { sync_token: state.token }) },
        });
        return;
      case "closed":
        return this.away();
      case "frame":
        return this.frame(event.frame);
      case "tick":
        return this.tick();
      case "send":
        return this.outbox.add(event.conversation_id, event.client_message_id, event.text);
      case "retry":
        return this.outbox.retry(event.client_message_id);
      case "discard":
        return this.outbox.discard(event.client_message_id);
      case "read":
        return this.conversations.readUpTo(event.conversation_id, event.seq);
      case "draft":
        if (event.text === "") state.drafts.delete(event.conversation_id);
        else state.drafts.set(event.conversation_id, event.text);
        this.touched.drafts.add(event.conversation_id);
        return;
      case "older":
        return this.history.older(event.conversation_id);
      case "viewing":
        return this.conversations.viewing(event.tab, event.viewing);
      case "listed":
        return this.conversations.listedByCall(event.conversation, event.last);
      case "counted":
        return this.conversations.counted(event.conversation_id, event.members);
      case "people":
        for (const user of event.users) {
          state.people.set(user.user_id, { ...user, at: this.now });
          this.touched.people.add(user.user_id);
        }
        return;
      case "disk":
        return this.history.fromDisk(event.conversation_id, event.below, event.messages);
    }
  }

  private frame(frame: ServerFrame): void {
    const { state, conversations } = this;
    switch (frame.type) {
      case "welcome":
        state.phase = "syncing";
        state.pages = "none";
        state.resync = false;
        this.touched.phase = true;
        return;
      case "sync":
        return conversations.page(frame);
      case "synced":
        return this.synced(frame.sync_token);
      case "sent":
        state.asked.delete(frame.ref);
        return this.outbox.sent(frame);
      case "messages":
        return conversations.pushed(frame.messages);
      case "conversation":
        return conversations.listed(frame.conversation, "push");
      case "left":
        return conversations.left(frame.conversation_id, frame.left_seq, frame.reason);
      case "read":
        if (frame.ref !== undefined) state.asked.delete(frame.ref);
        return conversations.readThere(frame.conversation_id, frame.read_seq, frame.unread);
      case "history":
        return this.history.page(frame);
      case "checkpoint":
        if (state.phase === "live") this.keepToken(frame.sync_token);
        return;
      case "resync":
        return this.resync();
      case "error":
        return this.refused(frame);
      case "moved":
      case "bye":
      case "pong":
        return;
    }
  }

  private refused(frame: ServerFrame & { type: "error" }): void {
    const ask = frame.ref === undefined ? undefined : this.state.asked.get(frame.ref);
    if (frame.ref === undefined || ask === undefined) return;
    this.state.asked.delete(frame.ref);
    switch (ask.what) {
      case "send":
        return this.outbox.refused(ask.id, frame);
      case "hole":
      case "older":
        return this.history.refused(ask, frame);
      case "read":
        return;
    }
  }

  private keepToken(token: string): void {
    this.state.token = token;
    this.touched.token = true;
  }

  private synced(token: string): void {
    const { state } = this;
    if (state.phase !== "syncing") return;
    this.keepToken(token);
    state.phase = "live";
    state.everSynced = true;
    state.awaySince = null;
    this.touched.phase = true;
    this.conversations.dropStale();
    this.conversations.sayReadMarks();
    this.outbox.write();
    this.history.feed();
  }

  /** Something was missed, answers may be among it: what was asked is asked again after the sync. */
  private resync(): void {
    const { state } = this;
    this.doubtAll();
    state.phase = "syncing";
    state.pages = "none";
    state.resync = true;
    this.touched.phase = true;
    // A token that no cell takes gives a full sync, which is what is needed where none is there yet.
    this.effects.push({ is: "say", frame: { type: "sync", sync_token: state.token ?? "" } });
  }

  private away(): void {
    const { state } = this;
    if (state.phase !== "away" || state.awaySince === null) state.awaySince ??= this.now;
    state.phase = "away";
    this.touched.phase = true;
    this.doubtAll();
  }

  /** No request of this connection will be answered any more. A full sync that broke off: the rest is still kept. */
  private doubtAll(): void {
    this.state.asked.clear();
    for (const kept of this.state.conversations.values()) {
      kept.stale = false;
      if (kept.fetch.is === "asked" || kept.fetch.is === "waits") kept.fetch = { is: "waits", at: 0, fruitless: 0 };
      if (kept.older.is === "asked") {
        kept.older = { is: "waits", at: 0 };
        this.touch(kept);
      }
    }
    this.outbox.doubtAll();
  }

  private tick(): void {
    const { state } = this;
    for (const [ref, ask] of state.asked) {
      // Refs ascend in time.
      if (ask.at + ANSWER_WITHIN_MS > this.now) break;
      state.asked.delete(ref);
      if (ask.what === "send") this.outbox.doubt(ask.id);
      if (ask.what === "hole" || ask.what === "older") this.history.lost(ask);
    }
    if (state.phase !== "live") return;
    this.outbox.write();
    this.history.feed();
  }
}
