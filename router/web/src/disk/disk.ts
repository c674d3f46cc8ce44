// What outlives the page: conversations, recent messages, unsent ones, drafts, people. One database per account,
// deleted when it logs out. Where the browser refuses it, everything works without.

import type { ConversationId, Message, Seq, UserId } from "../protocol";
import { ON_DISK } from "../store/conversations";
import { emptyState, type Kept, type Person, type State, type Unsent } from "../store/state";

const VERSION = 1;
const PREFIX = "skep-";

/** A conversation without its messages, which have a table of their own. */
type Row = Omit<Kept, "messages" | "fetch" | "older" | "stale">;

/** What one write brings to disk, all together or not at all. */
export type Changes = {
  /** Undefined when it has not changed. */
  token?: string | null;
  conversations: Kept[];
  gone: ConversationId[];
  added: Message[];
  cut: [ConversationId, Seq][];
  unsent: Unsent[] | null;
  settled: string[];
  drafts: [ConversationId, string | undefined][];
  people: Person[];
};

export interface Disk {
  load(me: UserId): Promise<State>;
  write(changes: Changes): Promise<void>;
  /** The newest ones below a seq, ascending. */
  messages(id: ConversationId, below: Seq, limit: number): Promise<Message[]>;
  close(): void;
}

/** Where there is no disk. */
export const noDisk: Disk = {
  load: async (me) => emptyState(me),
  write: async () => {},
  messages: async () => [],
  close: () => {},
};

const asked = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the disk refused"));
  });

const done = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("the disk refused"));
  });

export const openDisk = async (me: UserId, onClosed: () => void): Promise<Disk> => {
  try {
    const opening = indexedDB.open(PREFIX + me, VERSION);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      for (const name of database.objectStoreNames) database.deleteObjectStore(name);
      database.createObjectStore("meta");
      database.createObjectStore("conversations", { keyPath: "info.conversation_id" });
      database.createObjectStore("messages", { keyPath: ["conversation_id", "seq"] });
      database.createObjectStore("unsent", { keyPath: "client_message_id" });
      database.createObjectStore("drafts");
      database.createObjectStore("people", { keyPath: "user_id" });
    };
    const database = await asked(opening);
    // Another tab logs out, or a newer page is open.
    database.onversionchange = () => {
      database.close();
      onClosed();
    };
    return new Indexed(database);
  } catch {
    return noDisk;
  }
};

/** Leaves nothing of this account; of others neither, when none is named. */
export const eraseDisks = async (me?: UserId): Promise<void> => {
  try {
    const names = me !== undefined ? [PREFIX + me] : (await indexedDB.databases()).map((d) => d.name ?? "");
    await Promise.all(names.filter((n) => n.startsWith(PREFIX)).map((n) => asked(indexedDB.deleteDatabase(n))));
  } catch {
    // There is no disk to erase.
  }
};

class Indexed implements Disk {
  constructor(private readonly database: IDBDatabase) {}

  async load(me: UserId): Promise<State> {
    const state = emptyState(me);
    const reading = this.database.transaction(["meta", "conversations", "unsent", "drafts", "people"], "readonly");
    const all = <T>(name: string): Promise<T[]> => asked(reading.objectStore(name).getAll() as IDBRequest<T[]>);
    const [token, rows, unsent, ids, texts, people] = await Promise.all([
      asked(reading.objectStore("meta").get("token") as IDBRequest<string | undefined>),
      all<Row>("conversations"),
      all<Unsent>("unsent"),
      asked(reading.objectStore("drafts").getAllKeys()),
      all<string>("drafts"),
      all<Person>("people"),
    ]);
    state.token = token ?? null;
    state.everSynced = token !== undefined;
    for (const row of rows) {
      state.conversations.set(row.info.conversation_id, {
        ...row,
        messages: row.last === null ? [] : [row.last],
        floor: row.last === null ? row.head + 1 : row.last.seq,
        fetch: { is: "idle" },
        older: { is: "idle" },
        stale: false,
      });
    }
    // Of those under way it is not known whether they arrived: they go again.
    state.unsent = unsent
      .sort((a, b) => a.at - b.at || (a.client_message_id < b.client_message_id ? -1 : 1))
      .map((u) => (u.status.is === "failed" ? u : { ...u, status: { is: "waits", at: 0 } }));
    ids.forEach((id, at) => state.drafts.set(String(id), texts[at] ?? ""));
    for (const person of people) state.people.set(person.user_id, person);
    return state;
  }

  async write(changes: Changes): Promise<void> {
    const names = ["meta", "conversations", "messages", "unsent", "drafts", "people"];
    const writing = this.database.transaction(names, "readwrite");
    const written = done(writing);
    const [meta, conversations, messages, unsent, drafts, people] = names.map((n) => writing.objectStore(n)) as [
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
    ];
    for (const [id, below] of changes.cut) messages.delete(upTo(id, below - 1));
    for (const message of changes.added) {
      messages.put(message);
      // Now and then, so that it costs next to nothing.
      if (message.seq % 100 === 0 && message.seq > ON_DISK) {
        messages.delete(upTo(message.conversation_id, message.seq - ON_DISK));
      }
    }
    for (const { messages: _, fetch: __, older: ___, stale: ____, ...row } of changes.conversations) {
      conversations.put(row satisfies Row);
    }
    for (const id of changes.gone) {
      conversations.delete(id);
      messages.delete(upTo(id, Number.MAX_SAFE_INTEGER));
    }
    for (const id of changes.settled) unsent.delete(id);
    for (const message of changes.unsent ?? []) unsent.put(message);
    for (const [id, text] of changes.drafts) {
      if (text === undefined) drafts.delete(id);
      else drafts.put(text, id);
    }
    for (const person of changes.people) people.put(person);
    if (changes.token === null) meta.delete("token");
    else if (changes.token !== undefined) meta.put(changes.token, "token");
    await written;
  }

  async messages(id: ConversationId, below: Seq, limit: number): Promise<Message[]> {
    const range = IDBKeyRange.bound([id, Math.max(0, below - limit)], [id, below - 1]);
    const reading = this.database.transaction("messages", "readonly");
    return asked(reading.objectStore("messages").getAll(range) as IDBRequest<Message[]>);
  }

  close(): void {
    this.database.close();
  }
}

const upTo = (id: ConversationId, seq: Seq): IDBKeyRange => IDBKeyRange.bound([id, 0], [id, seq]);
