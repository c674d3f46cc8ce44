// The store as the screens read it: signals that follow what events touched. Nothing here decides anything.

import { batch, createEffect, createMemo, createSignal, type Accessor } from "solid-js";
import { Engine } from "../engine/engine";
import { ApiError, Http } from "../net/http";
import type { Conversation, ConversationId, Message, Seq, User, UserId } from "../protocol";
import type { Event, Touched } from "../store/event";
import { emptyState, isListed, lastActive, unread, type Kept, type Person, type State, type Unsent } from "../store/state";
import type { Session } from "./session";
import { uuidv7 } from "./uuid";

/** What is looked up again when it is shown and older than this. */
const NAMES_MS = 10 * 60_000;
const PRESENCE_MS = 25_000;
/** Look-ups are gathered for so long. */
const GATHER_MS = 30;
/** At most one new picture per so many milliseconds: a flood of messages is shown in steps. */
const FRAME_MS = 16;

/** A signal per key, made when somebody looks. */
class Keyed<K> {
  private readonly signals = new Map<K, { read: Accessor<void>; bump: () => void }>();

  track(key: K): void {
    let signal = this.signals.get(key);
    if (signal === undefined) {
      const [read, write] = createSignal<void>(undefined, { equals: false });
      signal = { read, bump: () => write() };
      this.signals.set(key, signal);
    }
    signal.read();
  }
  bump(key: K): void {
    this.signals.get(key)?.bump();
  }
  bumpAll(): void {
    for (const signal of this.signals.values()) signal.bump();
  }
}

/** One text below another, if that says anything. */
export const below = (text: string, more: string): string => (text.trim() === "" ? more : `${text}\n${more}`);

export type Over = "revoked" | "here";

export class Model {
  readonly http: Http;
  readonly me: UserId;
  private readonly engine: Engine;
  private state: State;
  private readonly conversations = new Keyed<ConversationId>();
  private readonly people = new Keyed<UserId>();
  private readonly drafts = new Keyed<ConversationId>();
  private readonly list = createSignal<void>(undefined, { equals: false });
  private readonly unsentSignal = createSignal<void>(undefined, { equals: false });
  private readonly phaseSignal = createSignal<void>(undefined, { equals: false });
  /** Where one writes, as far as it is shown: takes back a text that was given up. */
  readonly composers = new Map<ConversationId, (text: string) => void>();
  private readonly givenUp = new Set<string>();
  private readonly wanted = new Map<UserId, number>();
  private gathering: ReturnType<typeof setTimeout> | undefined;
  private waiting: Touched[] = [];
  private drawing: ReturnType<typeof setTimeout> | undefined;
  private drawnAt = 0;
  readonly ready: Accessor<boolean>;
  /** Connected, and all that was missed has come. */
  readonly live: Accessor<boolean>;
  /** The server took no further connection of this person, and there is none yet. */
  readonly tooMany: Accessor<boolean>;
  /** Conversations of the list, the most recently active first. */
  readonly order: Accessor<ConversationId[]>;
  readonly unreadTotal: Accessor<number>;

  constructor(
    session: Session,
    private readonly told: { arrived(message: Message): void; over(why: Over): void },
  ) {
    this.me = session.user_id;
    this.state = emptyState(this.me);
    this.http = new Http(session.token, () => this.told.over("revoked"));
    const [ready, setReady] = createSignal(false);
    const [refused, setRefused] = createSignal(false);
    this.ready = ready;
    this.live = createMemo(() => this.phase().phase === "live");
    this.tooMany = () => refused() && !this.live();
    createEffect(() => this.live() && setRefused(false));
    this.order = createMemo(() => {
      this.list[0]();
      this.unsentSignal[0]();
      const listed = [...this.state.conversations.values()].filter(isListed);
      const active = new Map(listed.map((k) => [k.info.conversation_id, lastActive(k)]));
      for (const { conversation_id: id, at } of this.state.unsent) if (active.has(id)) active.set(id, Math.max(active.get(id) ?? 0, at));
      return [...active.keys()].sort((a, b) => (active.get(b) ?? 0) - (active.get(a) ?? 0));
    });
    this.unreadTotal = createMemo(() => {
      this.list[0]();
      let conversations = 0;
      for (const kept of this.state.conversations.values()) if (isListed(kept) && unread(kept) > 0) conversations += 1;
      return conversations;
    });
    this.engine = new Engine(session, uuidv7(), () => this.http.route(), {
      reset: (state) => {
        this.state = state;
        this.waiting = [];
        batch(() => {
          setReady(true);
          for (const keyed of [this.conversations, this.people, this.drafts]) keyed.bumpAll();
          for (const [, bump] of [this.list, this.unsentSignal, this.phaseSignal]) bump();
        });
      },
      changed: (touched) => this.draw(touched),
      arrived: (message) => this.told.arrived(message),
      over: () => this.told.over("revoked"),
      tooMany: () => setRefused(true),
    });
    this.engine.start();
  }

  stop(over: "over" | "tab"): void {
    clearTimeout(this.gathering);
    clearTimeout(this.drawing);
    this.engine.stop(over);
  }

  hurry(): void {
    this.engine.hurry();
  }

  // === reading ===

  conversation(id: ConversationId): Kept | undefined {
    this.conversations.track(id);
    return this.state.conversations.get(id);
  }

  /** How many messages of it are unread now; followed by nothing. */
  unreadOf(id: ConversationId): number {
    const kept = this.state.conversations.get(id);
    return kept !== undefined && isListed(kept) ? unread(kept) : 0;
  }

  unsent(id: ConversationId): Unsent[] {
    this.unsentSignal[0]();
    return this.state.unsent.filter((u) => u.conversation_id === id);
  }

  unsentTotal(): number {
    return this.state.unsent.length;
  }

  draft(id: ConversationId): string {
    this.drafts.track(id);
    return this.state.drafts.get(id) ?? "";
  }

  /** Somebody, looked up when not known or known for long. */
  person(id: UserId, presence: "with presence" | "name" = "name"): Person | undefined {
    this.people.track(id);
    const person = this.state.people.get(id);
    const age = Date.now() - (person?.at ?? 0);
    if (age > (presence === "with presence" ? PRESENCE_MS : NAMES_MS)) this.want(id);
    return person;
  }

  phase(): { phase: State["phase"]; awaySince: number | null; everSynced: boolean } {
    this.phaseSignal[0]();
    return { phase: this.state.phase, awaySince: this.state.awaySince, everSynced: this.state.everSynced };
  }

  /** The direct conversation with somebody, if there is one here. */
  directWith(user: UserId): Kept | undefined {
    for (const kept of this.state.conversations.values()) if (kept.info.peer_id === user) return kept;
    return undefined;
  }

  // === doing ===

  dispatch(event: Event): void {
    this.engine.dispatch(event);
  }

  send(conversation_id: ConversationId, text: string): void {
    this.dispatch({ is: "send", conversation_id, client_message_id: uuidv7(), text });
  }

  /** An own message that was not sent, and will not be: its text goes back to what is being written. */
  discard({ conversation_id, client_message_id, text }: Unsent): void {
    // Until the tab that leads has done so, it is still shown in the others.
    if (this.givenUp.has(client_message_id)) return;
    this.givenUp.add(client_message_id);
    const put = this.composers.get(conversation_id);
    if (put !== undefined) put(text);
    else this.dispatch({ is: "draft", conversation_id, text: below(this.state.drafts.get(conversation_id) ?? "", text) });
    // Last: whatever ends in between, the text is somewhere.
    this.dispatch({ is: "discard", client_message_id });
  }

  read(conversation_id: ConversationId, seq: Seq): void {
    this.dispatch({ is: "read", conversation_id, seq });
  }

  listed(conversation: Conversation, last: Message | null = null): void {
    this.dispatch({ is: "listed", conversation, last });
  }

  counted(conversation_id: ConversationId, members: number): void {
    this.dispatch({ is: "counted", conversation_id, members });
  }

  learn(users: User[]): void {
    this.dispatch({ is: "people", users });
  }

  view(conversation_id: ConversationId | null, atNewest: boolean): void {
    const viewing = { conversation_id, atNewest, visible: document.visibilityState === "visible" };
    this.dispatch({ is: "viewing", tab: this.engine.tab, viewing });
  }

  unview(): void {
    this.dispatch({ is: "viewing", tab: this.engine.tab, viewing: null });
  }

  /** Whether somebody looks at this browser's Skep, and at what. */
  seen(): { any: boolean; conversations: Set<ConversationId> } {
    const visible = [...this.state.viewing.values()].filter((v) => v.visible);
    return { any: visible.length > 0, conversations: new Set(visible.flatMap((v) => v.conversation_id ?? [])) };
  }

  /** Looks people up anew, such as those whose presence is shown. */
  refresh(ids: UserId[]): void {
    for (const id of ids) this.want(id);
  }

  // === inside ===

  private want(id: UserId): void {
    const since = this.wanted.get(id);
    // Under way, or answered without this one a moment ago.
    if (since !== undefined && Date.now() - since < PRESENCE_MS) return;
    this.wanted.set(id, Date.now());
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      void this.lookUp();
    }, GATHER_MS);
    this.lacking.push(id);
  }
  private lacking: UserId[] = [];

  private async lookUp(): Promise<void> {
    while (this.lacking.length > 0) {
      const ids = this.lacking.splice(0, 100);
      try {
        const { users } = await this.http.lookup(ids);
        this.learn(users);
      } catch (error) {
        // Asked again when they are shown again.
        if (error instanceof ApiError) for (const id of ids) this.wanted.delete(id);
        this.lacking = [];
      }
    }
  }

  private draw(touched: Touched): void {
    this.waiting.push(touched);
    if (this.drawing !== undefined) return;
    const wait = this.drawnAt + FRAME_MS - performance.now();
    if (wait <= 0) this.drawNow();
    else {
      this.drawing = setTimeout(() => {
        this.drawing = undefined;
        this.drawNow();
      }, wait);
    }
  }

  private drawNow(): void {
    const waiting = this.waiting;
    this.waiting = [];
    this.drawnAt = performance.now();
    batch(() => {
      const conversations = new Set(waiting.flatMap((t) => [...t.conversations]));
      for (const id of conversations) this.conversations.bump(id);
      if (conversations.size > 0) this.list[1]();
      for (const id of new Set(waiting.flatMap((t) => [...t.people]))) this.people.bump(id);
      for (const id of new Set(waiting.flatMap((t) => [...t.drafts]))) this.drafts.bump(id);
      if (waiting.some((t) => t.unsent)) this.unsentSignal[1]();
      if (waiting.some((t) => t.phase)) this.phaseSignal[1]();
    });
  }
}
