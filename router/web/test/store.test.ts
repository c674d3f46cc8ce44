// The store against a server that loses, delays and refuses things: in the end both have the same.

import { describe, expect, it } from "vitest";
import type { Event, Outcome } from "../src/store/event";
import { hole, isListed, unread, type Kept, type State } from "../src/store/state";
import { Store } from "../src/store/store";
import { ME, random, Server } from "./server";

const SEEDS = Number(process.env["SEEDS"] ?? 150);
const STEPS = 250;

/** What the screens read of the conversations. */
const shown = (state: State): Map<string, string> =>
  new Map(
    [...state.conversations].map(([id, { info, head, read, messages, floor, last, left, fetch, older }]) => [
      id,
      JSON.stringify([info, head, read, messages.length, floor, last?.seq, left, fetch.is === "hopeless", older.is]),
    ]),
  );

class World {
  readonly chance;
  readonly server;
  readonly store = new Store(ME);
  /** Another tab: gets the same events. */
  replica = new Store(ME);
  now = 1_000_000;
  connected = false;
  sends: { id: string; conversation: string }[] = [];
  /** What the disk was told to keep. */
  readonly disk = new Map<string, Map<number, string>>();
  private loads: { conversation_id: string; below: number }[] = [];

  constructor(seed: number) {
    this.chance = random(seed);
    this.server = new Server(this.chance);
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.chance() * from.length)] as T;
  }

  apply(event: Event): Outcome {
    const before = shown(this.store.state);
    const outcome = this.store.apply(structuredClone(event), this.now);
    // The screens follow what was touched, and nothing else.
    const after = shown(this.store.state);
    for (const id of new Set([...before.keys(), ...after.keys()])) {
      if (before.get(id) !== after.get(id)) expect(outcome.touched.conversations, `${event.is} has changed it`).toContain(id);
    }
    this.replica.apply(structuredClone(event), this.now);
    for (const id of outcome.touched.cut.keys()) {
      for (const seq of this.disk.get(id)?.keys() ?? []) {
        if (seq < (outcome.touched.cut.get(id) ?? 0)) this.disk.get(id)?.delete(seq);
      }
    }
    for (const message of outcome.touched.added) {
      const kept = this.disk.get(message.conversation_id) ?? new Map<number, string>();
      kept.set(message.seq, JSON.stringify(message));
      this.disk.set(message.conversation_id, kept);
    }
    for (const effect of outcome.effects) {
      if (effect.is === "say" && this.connected) this.server.hear(effect.frame);
      if (effect.is === "load") this.loads.push(effect);
    }
    return outcome;
  }

  connect(): void {
    if (this.connected) return;
    this.connected = true;
    this.server.connect();
    this.apply({ is: "opened" });
  }

  lose(): void {
    if (!this.connected) return;
    this.connected = false;
    this.server.lose();
    this.apply({ is: "closed" });
  }

  deliver(): boolean {
    const frame = this.server.wire.shift();
    if (frame !== undefined) this.apply({ is: "frame", frame });
    return frame !== undefined;
  }

  readDisk(): boolean {
    const load = this.loads.shift();
    if (load === undefined) return false;
    const kept = [...(this.disk.get(load.conversation_id)?.entries() ?? [])];
    const messages = kept
      .filter(([seq]) => seq < load.below && seq >= load.below - 100)
      .sort(([a], [b]) => a - b)
      .map(([, text]) => JSON.parse(text));
    this.apply({ is: "disk", conversation_id: load.conversation_id, below: load.below, messages });
    return true;
  }

  step(): void {
    const ids = [...this.server.places.keys()];
    const known = [...this.store.state.conversations.keys()];
    const dice = this.chance();
    this.now += Math.floor(this.chance() * 200);
    if (dice < 0.35) this.deliver();
    else if (dice < 0.5) this.server.otherWrites(this.pick(ids));
    else if (dice < 0.6) {
      const conversation = this.pick(known);
      if (conversation === undefined) return;
      const id = `c-${this.sends.length}`;
      this.sends.push({ id, conversation });
      this.apply({ is: "send", conversation_id: conversation, client_message_id: id, text: `text ${id}` });
    } else if (dice < 0.64) this.server.otherDeviceSends(this.pick(ids));
    else if (dice < 0.69) this.connect();
    else if (dice < 0.72) this.lose();
    else if (dice < 0.75) this.server.weather(this.pick(["no", "no", "busy", "unavailable, done", "unavailable, not done"]));
    else if (dice < 0.78) this.server.overflow();
    else if (dice < 0.8) this.server.checkpoint();
    else if (dice < 0.86) this.apply({ is: "tick" });
    else if (dice < 0.89) {
      const id = this.pick(known);
      if (id !== undefined) this.apply({ is: "read", conversation_id: id, seq: Math.floor(this.chance() * 40) });
    } else if (dice < 0.92) {
      const id = this.pick(known);
      if (id !== undefined) this.apply({ is: "older", conversation_id: id });
    } else if (dice < 0.94) this.readDisk();
    else if (dice < 0.96) {
      const id = this.pick(known) ?? null;
      this.apply({ is: "viewing", tab: this.pick(["a", "b"]), viewing: { conversation_id: id, atNewest: this.chance() < 0.5, visible: true } });
    } else if (dice < 0.97 && ids.length < 5) this.server.create(this.pick(["direct", "group"]));
    else if (dice < 0.98) this.server.remove(this.pick(ids), "hidden");
    else if (dice < 0.985) this.server.remove(this.pick(ids.filter((i) => i.startsWith("g"))) ?? "", "removed");
    else if (dice < 0.995) this.server.addAgain(this.pick(ids));
    // Another tab takes the lead: it goes on with the state it has.
    else this.replica = new Store(structuredClone(this.store.state));
  }

  /** The weather clears, and all that is due happens. */
  settle(): void {
    this.server.weather("no");
    this.lose();
    this.connect();
    for (let rounds = 0; rounds < 400; rounds++) {
      while (this.deliver() || this.readDisk());
      const due = this.store.due();
      if (due === null) return;
      this.now = Math.max(this.now, due) + 1;
      this.apply({ is: "tick" });
    }
    const { conversations, unsent, asked } = this.store.state;
    const waits = [...conversations.values()].filter((k) => k.fetch.is !== "idle" || k.older.is !== "idle").map((k) => ({ ...k, messages: k.messages.map((m) => m.seq) }));
    throw new Error(`it does not come to rest: ${JSON.stringify({ waits, unsent, asked: [...asked] })}`);
  }

  judge(): void {
    const { state } = this.store;
    expect(state.phase).toBe("live");
    for (const [id, place] of this.server.places) {
      const kept = state.conversations.get(id);
      if (place.left !== null) {
        if (kept !== undefined) expect(isListed(kept)).toBe(false);
        continue;
      }
      if (kept === undefined) throw new Error(`${id} is missing`);
      expect(isListed(kept)).toBe(true);
      expect(kept.head).toBe(place.log.length);
      expect(hole(kept)).toBeNull();
      // All from the floor on, once, in order, as the server has them.
      expect(kept.messages).toEqual(place.log.filter((m) => m.seq >= kept.floor));
      expect(kept.floor).toBeGreaterThanOrEqual(place.info.first_seq);
      expect(kept.read).toBe(place.read);
      expect(unread(kept)).toBe(Math.max(0, place.log.length - Math.max(place.read, place.info.first_seq - 1)));
      if (place.log.length >= place.info.first_seq) expect(kept.last).toEqual(place.log.at(-1));
      // And what is on disk is nothing else.
      for (const [seq, text] of this.disk.get(id) ?? []) {
        if (seq >= place.info.first_seq) expect(JSON.parse(text)).toEqual(place.log[seq - 1]);
      }
    }
    // Own messages: each once, or refused and still here; in the order in which they were written.
    expect(state.unsent.filter((u) => u.status.is !== "failed")).toEqual([]);
    const failed = new Set(state.unsent.map((u) => u.client_message_id));
    for (const { id, conversation } of this.sends) {
      const times = this.server.places.get(conversation)?.log.filter((m) => m.client_message_id === id).length;
      expect(times, id).toBe(failed.has(id) ? 0 : 1);
    }
    for (const [id, place] of this.server.places) {
      const mine = place.log.map((m) => m.client_message_id).filter((c) => c.startsWith("c-"));
      const written = this.sends.filter((s) => s.conversation === id && !failed.has(s.id)).map((s) => s.id);
      expect(mine).toEqual(written);
    }
    // The other tab has the same.
    expect(this.replica.state).toEqual(state);
  }
}

describe("the store", () => {
  it(`ends as the server does, whatever happens on the way (${SEEDS} seeds)`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      try {
        world.server.create("direct");
        world.server.create("group");
        world.connect();
        for (let step = 0; step < STEPS; step++) world.step();
        world.settle();
        world.judge();
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, { cause: error });
      }
    }
  });

  it("keeps little of what nobody looks at, and reads it again", () => {
    const world = new World(1);
    const id = world.server.create("group");
    world.connect();
    world.settle();
    for (let n = 0; n < 10_000; n++) {
      world.server.otherWrites(id);
      world.deliver();
    }
    const kept = world.store.state.conversations.get(id);
    expect(kept?.head).toBe(10_000);
    expect(kept?.messages.length).toBeLessThanOrEqual(80);
    const floor = kept?.floor ?? 0;
    world.apply({ is: "viewing", tab: "a", viewing: { conversation_id: id, atNewest: false, visible: true } });
    world.apply({ is: "older", conversation_id: id });
    world.settle();
    expect(kept?.floor).toBeLessThan(floor);
    world.judge();
  });

  it("takes what a first sync brings, and asks for nothing more", () => {
    const world = new World(4);
    const id = world.server.create("group");
    for (let n = 0; n < 30; n++) world.server.otherWrites(id);
    const asked: string[] = [];
    const hear = world.server.hear.bind(world.server);
    world.server.hear = (frame) => {
      asked.push(frame.type);
      hear(frame);
    };
    world.connect();
    world.settle();
    expect(world.store.state.conversations.get(id)?.messages).toHaveLength(30);
    expect(asked.filter((type) => type !== "hello")).toEqual([]);
    world.judge();
  });

  it("sends what was written offline once, in order, when it is back", () => {
    const world = new World(2);
    const id = world.server.create("direct");
    world.connect();
    world.settle();
    world.lose();
    for (const text of ["one", "two", "three"]) {
      world.sends.push({ id: `c-${text}`, conversation: id });
      world.apply({ is: "send", conversation_id: id, client_message_id: `c-${text}`, text });
    }
    // The first one arrives, its answer does not.
    world.connect();
    while (world.store.state.phase !== "live") world.deliver();
    world.lose();
    world.settle();
    world.judge();
    expect(world.server.places.get(id)?.log.map((m) => m.text)).toEqual(["one", "two", "three"]);
  });

  it("takes from a call how many members there are, and nothing else", () => {
    const world = new World(5);
    const id = world.server.create("group");
    world.server.otherWrites(id);
    world.connect();
    world.settle();
    const before = structuredClone(world.store.state);
    const { touched } = world.apply({ is: "counted", conversation_id: id, members: 4_000 });
    expect([...touched.conversations]).toEqual([id]);
    const kept = before.conversations.get(id);
    if (kept !== undefined) kept.info.member_count = 4_000;
    expect(world.store.state).toEqual(before);
    world.apply({ is: "counted", conversation_id: "g_unknown" as never, members: 2 });
    expect(world.store.state.conversations.size).toBe(1);
    world.judge();
  });

  it("says so when a hole cannot be filled", () => {
    const world = new World(6);
    const id = world.server.create("group");
    const kept = () => world.store.state.conversations.get(id);
    world.server.otherWrites(id);
    world.connect();
    world.settle();
    world.lose();
    for (let n = 0; n < 80; n++) world.server.otherWrites(id);
    world.connect();
    world.server.weather("not_allowed");
    while (world.deliver());
    expect(kept()?.fetch.is).toBe("hopeless");
    expect(hole(kept() as Kept)).toEqual([2, 31]);
    // What is listed anew is asked for again.
    world.lose();
    world.server.otherWrites(id);
    world.connect();
    world.settle();
    world.judge();
  });

  it("keeps a refused message until the person decides", () => {
    const world = new World(3);
    const id = world.server.create("direct");
    world.connect();
    world.settle();
    world.server.weather("not_allowed");
    world.apply({ is: "send", conversation_id: id, client_message_id: "c-1", text: "no" });
    world.deliver();
    expect(world.store.state.unsent[0]?.status).toMatchObject({ is: "failed", code: "not_allowed" });
    world.settle();
    expect(world.store.state.unsent).toHaveLength(1);
    world.apply({ is: "retry", client_message_id: "c-1" });
    world.settle();
    expect(world.store.state.unsent).toHaveLength(0);
    expect(world.server.places.get(id)?.log).toHaveLength(1);
  });
});
