// What is missing and fetched: holes, and older messages when somebody scrolls up to them.

import { isRetryable, PAGE, type ConversationId, type Message, type Seq, type ServerFrame } from "../protocol";
import { hasOlder, hole, type Ask, type Kept } from "./state";
import type { Work } from "./work";

/** What was pushed is given so long to arrive before it is asked for. */
export const GRACE_MS = 200;
const AGAIN_MS = 500;
/** Pages that bring nothing before a hole counts as one that cannot be filled. */
const FRUITLESS = 10;
/** Fetched at once. */
export const FETCHES = 8;

type Fetched = Extract<Ask, { what: "hole" | "older" }>;

export class History {
  constructor(private readonly work: Work) {}

  // === holes ===

  /** Looks whether something of it is missing, and fetches it at `at` or later. */
  look(kept: Kept, at: number): void {
    if (hole(kept) === null) {
      if (kept.fetch.is === "waits" || kept.fetch.is === "hopeless") kept.fetch = { is: "idle" };
      return;
    }
    if (kept.fetch.is === "idle") kept.fetch = { is: "waits", at, fruitless: 0 };
    else if (kept.fetch.is === "waits") kept.fetch.at = Math.min(kept.fetch.at, at);
    this.feed();
  }

  /** Asks for what is due, of a few conversations at a time. */
  feed(): void {
    const { state, now } = this.work;
    if (state.phase !== "live") return;
    let room = FETCHES;
    for (const ask of state.asked.values()) if (ask.what === "hole" || ask.what === "older") room -= 1;
    for (const kept of state.conversations.values()) {
      if (room <= 0) return;
      if (kept.older.is === "waits" && kept.older.at <= now) {
        this.askOlder(kept);
        room -= 1;
      }
      if (kept.fetch.is !== "waits" || kept.fetch.at > now) continue;
      const missing = hole(kept);
      if (missing === null) kept.fetch = { is: "idle" };
      else {
        this.askHole(kept, missing[0], kept.fetch.fruitless);
        room -= 1;
      }
    }
  }

  private askHole(kept: Kept, from: Seq, fruitless: number): void {
    const { work } = this;
    const { conversation_id } = kept.info;
    const ref = work.ref();
    kept.fetch = { is: "asked", fruitless };
    work.state.asked.set(ref, { what: "hole", conversation_id, from, at: work.now });
    work.effects.push({ is: "say", frame: { type: "history", ref, conversation_id, after: from - 1, limit: PAGE } });
  }

  // === older ones ===

  /** Somebody scrolls up. Nothing is asked twice. */
  older(id: ConversationId): void {
    const { work } = this;
    const kept = work.state.conversations.get(id);
    if (kept === undefined || kept.older.is !== "idle" || !hasOlder(kept)) return;
    kept.older = { is: "disk", below: kept.floor };
    work.effects.push({ is: "load", conversation_id: id, below: kept.floor });
    work.touch(kept);
  }

  fromDisk(id: ConversationId, below: Seq, messages: Message[]): void {
    const { work } = this;
    const kept = work.state.conversations.get(id);
    if (kept === undefined || kept.older.is !== "disk" || kept.older.below !== below) return;
    work.touch(kept);
    const came = kept.floor === below ? this.prepend(kept, messages) : 0;
    if (came > 0 || !hasOlder(kept)) {
      kept.older = { is: "idle" };
      return;
    }
    kept.older = { is: "waits", at: 0 };
    this.feed();
  }

  private askOlder(kept: Kept): void {
    const { work } = this;
    if (!hasOlder(kept)) {
      kept.older = { is: "idle" };
      return;
    }
    const { conversation_id } = kept.info;
    const ref = work.ref();
    kept.older = { is: "asked", below: kept.floor };
    work.state.asked.set(ref, { what: "older", conversation_id, below: kept.floor, at: work.now });
    work.effects.push({ is: "say", frame: { type: "history", ref, conversation_id, before: kept.floor, limit: PAGE } });
    work.touch(kept);
  }

  /** Takes those that reach up to the floor without a hole. Returns how many. */
  private prepend(kept: Kept, messages: readonly Message[]): number {
    let from = messages.length;
    let floor = kept.floor;
    while (from > 0 && messages[from - 1]?.seq === floor - 1 && floor > kept.info.first_seq) {
      from -= 1;
      floor -= 1;
    }
    const fitting = messages.slice(from);
    if (fitting.length === 0) return 0;
    kept.messages = [...fitting, ...kept.messages];
    kept.floor = floor;
    kept.last ??= fitting.at(-1) ?? null;
    this.work.touch(kept);
    return fitting.length;
  }

  // === answers ===

  page(frame: ServerFrame & { type: "history" }): void {
    const { work } = this;
    const ask = work.state.asked.get(frame.ref);
    work.state.asked.delete(frame.ref);
    const kept = work.state.conversations.get(frame.conversation_id);
    if (kept === undefined || ask === undefined) return this.feed();
    if (ask.what === "older") {
      if (kept.older.is === "asked" && kept.older.below === ask.below) {
        kept.older = { is: "idle" };
        if (kept.floor === ask.below) {
          const came = this.prepend(kept, frame.messages);
          work.touched.added.push(...kept.messages.slice(0, came));
          // Nothing is there: whoever may read from first_seq on has read all of it.
          if (came === 0 && !frame.has_more) kept.older = { is: "refused" };
        }
        work.touch(kept);
      }
    } else if (ask.what === "hole") {
      for (const message of frame.messages) work.conversations.message(message, "history");
      this.fetched(kept, ask.from);
    }
    this.feed();
  }

  private fetched(kept: Kept, from: Seq): void {
    const missing = hole(kept);
    if (missing === null) kept.fetch = { is: "idle" };
    else if (missing[0] > from) kept.fetch = { is: "waits", at: this.work.now, fruitless: 0 };
    else this.fruitless(kept);
  }

  private fruitless(kept: Kept): void {
    if (kept.fetch.is !== "asked") return;
    const fruitless = kept.fetch.fruitless + 1;
    if (fruitless >= FRUITLESS) this.giveUp(kept);
    else kept.fetch = { is: "waits", at: this.work.now + AGAIN_MS, fruitless };
  }

  private giveUp(kept: Kept): void {
    kept.fetch = { is: "hopeless" };
    this.work.touch(kept);
  }

  refused(ask: Fetched, frame: ServerFrame & { type: "error" }): void {
    const kept = this.work.state.conversations.get(ask.conversation_id);
    if (kept === undefined) return;
    const at = this.work.now + Math.max(frame.retry_after_ms ?? 0, AGAIN_MS);
    const again = isRetryable(frame.code);
    if (ask.what === "older") {
      kept.older = again ? { is: "waits", at } : { is: "refused" };
      this.work.touch(kept);
    } else if (again) {
      this.fruitless(kept);
    } else {
      this.giveUp(kept);
    }
    this.feed();
  }

  lost(ask: Fetched): void {
    const kept = this.work.state.conversations.get(ask.conversation_id);
    if (kept === undefined) return;
    if (ask.what === "hole") this.fruitless(kept);
    else if (kept.older.is === "asked") kept.older = { is: "waits", at: this.work.now };
  }
}
