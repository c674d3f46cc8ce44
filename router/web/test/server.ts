// A small server that follows the contract, with a connection that may lose things: what the store is tested against.

import type { ClientFrame, Conversation, Message, ServerFrame } from "../src/protocol";

export type Random = () => number;

/** Mulberry32: small, and the same everywhere. */
export const random = (seed: number): Random => {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const ME = "u_me";

type Place = { info: Conversation; log: Message[]; read: number; left: number | null; kind: "left" | "removed" | "hidden" };

export class Server {
  readonly places = new Map<string, Place>();
  /** On its way to the client, in order. */
  wire: ServerFrame[] = [];
  private live = false;
  private deaf = false;
  private time = 0;
  private refuse: "no" | "busy" | "unavailable, done" | "unavailable, not done" | "not_allowed" = "no";

  constructor(private readonly chance: Random) {}

  // === the world ===

  create(kind: "direct" | "group"): string {
    const id = `${kind[0]}_${this.places.size}`;
    const info: Conversation = {
      conversation_id: id,
      kind,
      title: null,
      topic: null,
      created_at: this.now(),
      created_by: null,
      member_count: 2,
      head_seq: 0,
      role: "member",
      first_seq: 1,
      read_seq: 0,
      unread: 0,
      peer_id: kind === "direct" ? "u_other" : null,
      heroes: [],
    };
    this.places.set(id, { info, log: [], read: 0, left: null, kind: "left" });
    this.push({ type: "conversation", conversation: this.view(id) });
    return id;
  }

  write(id: string, sender_id: string, client_message_id: string, text: string): Message | null {
    const place = this.places.get(id);
    // What was done is answered as done, also to who is no longer a member.
    const known = place?.log.find((m) => m.sender_id === sender_id && m.client_message_id === client_message_id);
    if (known !== undefined) return known;
    if (place === undefined || (place.left !== null && place.kind !== "hidden")) return null;
    if (place.left !== null) {
      // It was hidden, and comes back: a connection that does not know it is told first.
      place.left = null;
      this.push({ type: "conversation", conversation: this.view(id) });
    }
    const seq = place.log.length + 1;
    const message: Message = { conversation_id: id, seq, sender_id, client_message_id, sent_at: this.now(), text };
    place.log.push(message);
    if (sender_id === ME) place.read = seq;
    return message;
  }

  otherWrites(id: string): void {
    const message = this.write(id, "u_other", `o-${this.time}`, `other ${this.time}`);
    if (message !== null) this.push({ type: "messages", messages: [message] });
  }

  otherDeviceSends(id: string): void {
    const message = this.write(id, ME, `d-${this.time}`, `mine elsewhere ${this.time}`);
    if (message !== null) this.push({ type: "messages", messages: [message] });
  }

  remove(id: string, reason: "removed" | "hidden"): void {
    const place = this.places.get(id);
    if (place === undefined || place.left !== null) return;
    place.left = place.log.length;
    place.kind = reason;
    this.push({ type: "left", conversation_id: id, left_seq: place.left, reason });
  }

  /** Into a group again: nothing before it is readable. */
  addAgain(id: string): void {
    const place = this.places.get(id);
    if (place?.left == null || place.kind === "hidden") return;
    // Others have written meanwhile.
    for (let n = Math.floor(this.chance() * 5); n > 0; n--) {
      place.log.push({ conversation_id: id, seq: place.log.length + 1, sender_id: "u_other", client_message_id: `a-${this.now()}`, sent_at: this.now(), text: "unseen" });
    }
    place.left = null;
    place.read = place.log.length;
    place.info.first_seq = place.log.length + 1;
    this.push({ type: "conversation", conversation: this.view(id) });
  }

  /** What the next sends meet. */
  weather(refuse: Server["refuse"]): void {
    this.refuse = refuse;
  }

  // === the connection ===

  connect(): void {
    this.wire = [];
    this.live = false;
    this.deaf = false;
  }

  lose(): void {
    this.wire = [];
    this.live = false;
  }

  /** The client was too slow: what is pushed now does not come, and it is told. */
  overflow(): void {
    if (!this.live || this.deaf) return;
    this.deaf = true;
    this.wire.push({ type: "resync" });
  }

  checkpoint(): void {
    if (this.live && !this.deaf) this.wire.push({ type: "checkpoint", sync_token: this.token() });
  }

  hear(frame: ClientFrame): void {
    switch (frame.type) {
      case "hello":
        this.wire.push({ type: "welcome", user_id: ME, session_id: "s", cell_id: 1, heartbeat_s: 30 });
        return this.sync(frame.sync_token);
      case "sync":
        return this.sync(frame.sync_token);
      case "send":
        return this.send(frame);
      case "read": {
        const place = this.places.get(frame.conversation_id);
        if (place === undefined) return;
        place.read = Math.max(place.read, Math.min(frame.seq, place.log.length));
        const unread = place.log.length - place.read;
        this.wire.push({ type: "read", ref: frame.ref, conversation_id: frame.conversation_id, read_seq: place.read, unread });
        return;
      }
      case "history":
        return this.history(frame);
      case "ping":
        this.wire.push({ type: "pong" });
    }
  }

  private send(frame: ClientFrame & { type: "send" }): void {
    const { ref, conversation_id, client_message_id, text } = frame;
    const refuse = (code: string) => this.wire.push({ type: "error", ref, code, detail: "", ...(code === "busy" ? { retry_after_ms: 300 } : {}) });
    if (this.refuse === "busy") return void refuse("busy");
    if (this.refuse === "not_allowed") return void refuse("not_allowed");
    if (this.refuse === "unavailable, not done") return void refuse("unavailable");
    const message = this.write(conversation_id, ME, client_message_id, text);
    if (message === null) return void refuse("not_allowed");
    if (this.refuse === "unavailable, done") {
      // It was done all the same, and comes as any other.
      this.push({ type: "messages", messages: [message] });
      return void refuse("unavailable");
    }
    this.wire.push({ type: "sent", ref, conversation_id, client_message_id, seq: message.seq, sent_at: message.sent_at });
  }

  private history(frame: ClientFrame & { type: "history" }): void {
    const place = this.places.get(frame.conversation_id);
    const { ref, conversation_id, before, after } = frame;
    if (place === undefined) return void this.wire.push({ type: "error", ref, code: "not_found", detail: "" });
    if (this.refuse === "not_allowed") return void this.wire.push({ type: "error", ref, code: "not_allowed", detail: "" });
    const end = place.left !== null && place.kind !== "hidden" ? place.left : place.log.length;
    const readable = place.log.filter((m) => m.seq >= place.info.first_seq && m.seq <= end);
    // Pages may be short.
    const limit = 1 + Math.floor(this.chance() * 20);
    const wanted = readable.filter((m) => (before === undefined || m.seq < before) && (after === undefined || m.seq > after));
    const messages = before !== undefined ? wanted.slice(-limit) : wanted.slice(0, limit);
    this.wire.push({ type: "history", ref, conversation_id, messages, has_more: wanted.length > messages.length });
  }

  private sync(token: string | undefined): void {
    const known = token === undefined || token === "" || this.chance() < 0.1 ? null : (JSON.parse(token) as Record<string, number>);
    const full = known === null;
    const listed: (Conversation & { messages: Message[] })[] = [];
    const left: { conversation_id: string; left_seq: number; reason: "left" | "removed" | "hidden" }[] = [];
    for (const [id, place] of this.places) {
      const beyond = Math.max(known?.[id] ?? 0, place.info.first_seq - 1);
      if (place.left !== null) {
        if (!full) left.push({ conversation_id: id, left_seq: place.left, reason: place.kind });
        continue;
      }
      listed.push({ ...this.view(id), messages: place.log.filter((m) => m.seq > beyond).slice(-50) });
    }
    const pages = Math.max(1, Math.ceil(listed.length / 2));
    for (let page = 0; page < pages; page++) {
      this.wire.push({ type: "sync", full, conversations: listed.slice(page * 2, page * 2 + 2), left: page === 0 ? left : [] });
    }
    this.wire.push({ type: "synced", sync_token: this.token() });
    this.live = true;
    this.deaf = false;
  }

  private push(frame: ServerFrame): void {
    if (this.live && !this.deaf) this.wire.push(frame);
  }

  private token(): string {
    return JSON.stringify(Object.fromEntries([...this.places].map(([id, place]) => [id, place.log.length])));
  }

  view(id: string): Conversation {
    const place = this.places.get(id) as Place;
    const head_seq = place.log.length;
    return { ...place.info, head_seq, read_seq: place.read, unread: head_seq - place.read };
  }

  private now(): string {
    return new Date(1_700_000_000_000 + (this.time += 1)).toISOString();
  }
}
