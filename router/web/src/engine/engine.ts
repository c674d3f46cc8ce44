// One account in one tab. All tabs of a browser hold the same store and apply the same events in the same order; one
// of them leads: it has the socket and the disk, gives events their order, and tells the others. When it goes, the
// next one takes the lead with the state it already has.

import { noDisk, openDisk, type Changes, type Disk } from "../disk/disk";
import { Link } from "../net/socket";
import type { ConversationId, Message, Route, Seq } from "../protocol";
import type { Effect, Event, Outcome, Touched } from "../store/event";
import type { State } from "../store/state";
import { Store } from "../store/store";

/** Older messages read from disk at once. */
const FROM_DISK = 100;
/** Changes are gathered for so long before they go to disk; own messages go at once. */
const WRITE_AFTER_MS = 150;
/** A tab that got no answer asks for the state again. */
const ASK_AGAIN_MS = 500;

type Word =
  /** A tab asks for the state. */
  | { is: "hello"; tab: string }
  /** The state after event `n`. */
  | { is: "state"; state: State; n: number; leader: string }
  /** A tab's event, to be given its place. */
  | { is: "wish"; tab: string; id: number; event: Event }
  /** An event in its place. */
  | { is: "event"; n: number; event: Event; now: number; tab: string; id: number }
  | { is: "over" };

export type Account = { user_id: string; token: string; route: Route };

export type Listener = {
  /** All is new: at the start, and after another tab has taken the lead. */
  reset(state: State): void;
  changed(touched: Touched): void;
  /** Somebody wrote. Only in the tab that leads, so that it is told once. */
  arrived(message: Message): void;
  /** The session is over: logged out elsewhere, or revoked. */
  over(): void;
  tooMany(): void;
};

export class Engine {
  private store: Store | null = null;
  private disk: Disk = noDisk;
  private link: Link | null = null;
  private channel: BroadcastChannel | null = null;
  private leads = false;
  private alone = true;
  private stopped = false;
  private n = 0;
  private wishes: { id: number; event: Event }[] = [];
  private nextWish = 1;
  private tickAt = Infinity;
  private ticking: ReturnType<typeof setTimeout> | undefined;
  private asking: ReturnType<typeof setTimeout> | undefined;
  private writing: ReturnType<typeof setTimeout> | undefined;
  private pending: Touched[] = [];
  private letGo: (() => void) | undefined;

  constructor(
    private readonly account: Account,
    readonly tab: string,
    private readonly findRoute: () => Promise<Route>,
    private readonly listener: Listener,
  ) {}

  get state(): State | null {
    return this.store?.state ?? null;
  }

  start(): void {
    const name = `skep-${this.account.user_id}`;
    if (typeof BroadcastChannel !== "undefined" && navigator.locks !== undefined) {
      this.channel = new BroadcastChannel(name);
      this.channel.onmessage = ({ data }: MessageEvent<Word>) => this.heard(data);
      void navigator.locks.request(name, () => {
        if (this.stopped) return;
        return new Promise<void>((resolve) => {
          this.letGo = resolve;
          void this.lead();
        });
      });
      this.askForState();
    } else {
      // Not a secure context, or an old browser: every tab is on its own, which the server allows.
      void this.lead();
    }
  }

  /** Ends this tab's part; `over`: the account is done with, in all tabs. */
  stop(over: "over" | "tab"): void {
    if (this.stopped) return;
    if (over === "over") this.say({ is: "over" });
    else if (this.leads) void this.flush();
    this.stopped = true;
    this.link?.stop();
    this.disk.close();
    this.channel?.close();
    for (const timer of [this.ticking, this.asking, this.writing]) clearTimeout(timer);
    this.letGo?.();
  }

  /** Something the person did, or a call answered. */
  dispatch(event: Event): void {
    if (this.leads) return this.order(event, this.tab, 0);
    const wish = { id: this.nextWish++, event };
    // Kept until it has its place: the leader may be going.
    this.wishes.push(wish);
    this.say({ is: "wish", tab: this.tab, ...wish });
  }

  /** Somebody looks at the page: no reason to wait for the next try. */
  hurry(): void {
    this.link?.hurry();
  }

  // === tabs ===

  private askForState(): void {
    if (this.leads || this.store !== null || this.stopped) return;
    this.say({ is: "hello", tab: this.tab });
    this.asking = setTimeout(() => this.askForState(), ASK_AGAIN_MS);
  }

  private say(word: Word): void {
    this.channel?.postMessage(word);
  }

  private heard(word: Word): void {
    if (this.stopped) return;
    switch (word.is) {
      case "hello":
        this.alone = false;
        if (this.leads && this.store !== null) this.sayState();
        return;
      case "wish":
        this.alone = false;
        if (this.leads && this.store !== null) this.order(word.event, word.tab, word.id);
        return;
      case "state":
        if (this.leads) return;
        this.store = new Store(word.state);
        this.n = word.n;
        this.listener.reset(word.state);
        // What the former leader may not have heard.
        for (const wish of this.wishes) this.say({ is: "wish", tab: this.tab, ...wish });
        return;
      case "event":
        if (this.leads || this.store === null) return;
        if (word.n !== this.n + 1) {
          this.store = null;
          return this.askForState();
        }
        this.n = word.n;
        if (word.tab === this.tab) this.wishes = this.wishes.filter((w) => w.id !== word.id);
        this.listener.changed(this.store.apply(word.event, word.now).touched);
        return;
      case "over":
        return this.listener.over();
    }
  }

  private sayState(): void {
    if (this.store !== null) this.say({ is: "state", state: this.store.state, n: this.n, leader: this.tab });
  }

  private async lead(): Promise<void> {
    this.disk = await openDisk(this.account.user_id, () => {
      this.disk = noDisk;
    });
    if (this.store === null) {
      const state = await this.disk.load(this.account.user_id).catch(() => null);
      if (state === null) this.disk = noDisk;
      this.store = new Store(state ?? this.account.user_id);
    } else {
      // The former leader's connection is gone, and with it what was asked on it.
      this.store.apply({ is: "closed" }, Date.now());
    }
    if (this.stopped) return;
    this.leads = true;
    clearTimeout(this.asking);
    this.listener.reset(this.store.state);
    this.sayState();
    const wishes = this.wishes;
    this.wishes = [];
    for (const { event } of wishes) this.order(event, this.tab, 0);
    this.link = new Link(this.account.route, this.findRoute, {
      opened: () => this.order({ is: "opened" }, this.tab, 0),
      closed: () => this.order({ is: "closed" }, this.tab, 0),
      frame: (frame) => {
        if (frame.type === "error" && frame.code === "unauthenticated" && frame.ref === undefined) this.listener.over();
        else this.order({ is: "frame", frame }, this.tab, 0);
      },
      over: () => this.listener.over(),
      tooMany: () => this.listener.tooMany(),
    });
    this.link.start();
  }

  // === the one that leads ===

  private order(event: Event, tab: string, id: number): void {
    if (this.store === null || this.stopped) return;
    const now = Date.now();
    const outcome = this.store.apply(event, now);
    this.n += 1;
    if (!this.alone) this.say({ is: "event", n: this.n, event, now, tab, id });
    this.keep(outcome);
    for (const effect of outcome.effects) this.carryOut(effect);
    this.listener.changed(outcome.touched);
    this.wake();
  }

  private carryOut(effect: Effect): void {
    switch (effect.is) {
      case "say":
        return this.link?.say(effect.frame.type === "hello" ? { ...effect.frame, token: this.account.token } : effect.frame);
      case "arrived":
        return this.listener.arrived(effect.message);
      case "load": {
        const { conversation_id, below } = effect;
        const answer = (messages: Message[]) => this.order({ is: "disk", conversation_id, below, messages }, this.tab, 0);
        void this.disk.messages(conversation_id, below, FROM_DISK).catch(() => []).then(answer);
      }
    }
  }

  private wake(): void {
    const due = this.store?.due() ?? null;
    if (due === null) return;
    if (this.ticking !== undefined && due >= this.tickAt) return;
    clearTimeout(this.ticking);
    this.tickAt = due;
    this.ticking = setTimeout(() => {
      this.ticking = undefined;
      this.order({ is: "tick" }, this.tab, 0);
    }, Math.max(0, due - Date.now()) + 1);
  }

  // === disk ===

  private keep({ touched }: Outcome): void {
    if (this.disk === noDisk) return;
    this.pending.push(touched);
    if (touched.unsent || touched.settled.length > 0) void this.flush();
    else this.writing ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS);
  }

  /** All that changed, with the token that covers it, in one transaction. */
  private async flush(): Promise<void> {
    clearTimeout(this.writing);
    this.writing = undefined;
    const pending = this.pending;
    this.pending = [];
    if (this.store === null || pending.length === 0) return;
    try {
      await this.disk.write(gather(pending, this.store.state));
    } catch {
      // The disk is full or gone. What is in memory is right, what is on disk is an older whole.
      this.disk.close();
      this.disk = noDisk;
    }
  }
}

const gather = (touched: Touched[], state: State): Changes => {
  const union = <T>(sets: Set<T>[]): Set<T> => new Set(sets.flatMap((s) => [...s]));
  const present = <K, V>(keys: Set<K>, map: Map<K, V>): V[] =>
    [...keys].flatMap((key) => (map.has(key) ? [map.get(key) as V] : []));
  const settled = touched.flatMap((t) => t.settled);
  // From the last to the first: a later cut takes what came before it, and not what came after.
  const cut = new Map<ConversationId, Seq>();
  const added: Message[] = [];
  for (const t of touched.toReversed()) {
    for (const m of t.added) if (m.seq >= (cut.get(m.conversation_id) ?? 0)) added.push(m);
    for (const [id, seq] of t.cut) cut.set(id, Math.max(seq, cut.get(id) ?? 0));
  }
  return {
    ...(touched.some((t) => t.token) ? { token: state.token } : {}),
    conversations: present(union(touched.map((t) => t.conversations)), state.conversations),
    gone: [...union(touched.map((t) => t.gone))].filter((id) => !state.conversations.has(id)),
    added,
    cut: [...cut],
    unsent: touched.some((t) => t.unsent) ? state.unsent : null,
    settled,
    drafts: [...union(touched.map((t) => t.drafts))].map((id) => [id, state.drafts.get(id)]),
    people: present(union(touched.map((t) => t.people)), state.people),
  };
};
