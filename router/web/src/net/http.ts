// Calls to the server. What goes wrong is an `ApiError` with a code that texts are found by.

import type {
  Conversation,
  ConversationId,
  Me,
  Message,
  Profile,
  Role,
  Route,
  Seq,
  User,
  UserId,
} from "../protocol";

const PATIENCE_MS = 20_000;
const PATIENCE_WITH_IMAGE_MS = 120_000;

export type FieldError = { field: string; code: string; detail: string };

export class ApiError extends Error {
  constructor(
    /** A code of the contract, or `offline` when nothing answered. */
    readonly code: string,
    readonly detail: string,
    readonly fields: FieldError[] = [],
    readonly retryAfterMs = 0,
  ) {
    super(detail);
  }
}

export type SignedIn = { token: string; expires_at: string; session_id: string; user: User; route: Route };
export type Device = {
  session_id: string;
  device: string | null;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  current: boolean;
};
export type Link = { url: string; code: string };
export type Preview = { conversation_id: ConversationId; title: string | null; topic: string | null; member_count: number };
export type Member = { user_id: UserId; role: Role; joined_at: string };
export type NotAdded = { user_id: UserId; code: string };
export type Created = { conversation: Conversation; link: Link | null; not_added: NotAdded[] };
export type NewConversation =
  | { kind: "direct"; user_id: UserId }
  | { kind: "group"; title?: string; user_ids: UserId[] }
  | { kind: "channel"; title: string; topic?: string; user_ids?: UserId[] };
export type SignUp = { username: string; display_name: string; email: string; password: string; device: string };

type Options = { body?: unknown; key?: string; patience?: number };

export class Http {
  constructor(
    private readonly token: string | null,
    /** Told when the server no longer knows the session. */
    private readonly onUnauthenticated: () => void = () => {},
    private readonly base = "",
  ) {}

  // === accounts ===

  signUp(form: SignUp, image: Blob | null): Promise<SignedIn> {
    if (image === null) return this.call("POST", "/v1/users", { body: form });
    const parts = new FormData();
    for (const [name, value] of Object.entries(form)) parts.append(name, value);
    parts.append("image", image, "image.webp");
    return this.call("POST", "/v1/users", { body: parts, patience: PATIENCE_WITH_IMAGE_MS });
  }
  logIn(login: string, password: string, device: string): Promise<SignedIn> {
    return this.call("POST", "/v1/sessions", { body: { login, password, device } });
  }
  logOut(): Promise<void> {
    return this.call("DELETE", "/v1/sessions/current");
  }
  devices(): Promise<{ sessions: Device[] }> {
    return this.call("GET", "/v1/sessions");
  }
  revoke(session_id: string): Promise<void> {
    return this.call("DELETE", `/v1/sessions/${encodeURIComponent(session_id)}`);
  }
  route(): Promise<Route> {
    return this.call("GET", "/v1/route");
  }
  me(): Promise<Me> {
    return this.call("GET", "/v1/me");
  }
  rename(display_name: string): Promise<Me> {
    return this.call("PATCH", "/v1/me", { body: { display_name } });
  }
  changePassword(old_password: string, new_password: string): Promise<void> {
    return this.call("PUT", "/v1/me/password", { body: { old_password, new_password } });
  }
  setImage(image: Blob): Promise<Me> {
    return this.call("PUT", "/v1/me/image", { body: image, patience: PATIENCE_WITH_IMAGE_MS });
  }
  removeImage(): Promise<Me> {
    return this.call("DELETE", "/v1/me/image");
  }

  // === people ===

  search(query: string, cursor?: string): Promise<{ users: Profile[]; next_cursor: string | null }> {
    return this.call("GET", `/v1/users?${new URLSearchParams({ query, ...(cursor ? { cursor } : {}) })}`);
  }
  lookup(user_ids: UserId[]): Promise<{ users: User[]; unavailable: UserId[] }> {
    return this.call("POST", "/v1/users/lookup", { body: { user_ids } });
  }
  blocks(): Promise<{ user_ids: UserId[] }> {
    return this.call("GET", "/v1/me/blocks");
  }
  block(user_id: UserId): Promise<void> {
    return this.call("PUT", `/v1/me/blocks/${user_id}`);
  }
  unblock(user_id: UserId): Promise<void> {
    return this.call("DELETE", `/v1/me/blocks/${user_id}`);
  }

  // === conversations ===

  create(conversation: NewConversation, key: string): Promise<Created> {
    return this.call("POST", "/v1/conversations", { body: conversation, key });
  }
  conversation(id: ConversationId): Promise<Conversation> {
    return this.call("GET", `/v1/conversations/${id}`);
  }
  change(id: ConversationId, change: { title?: string | null; topic?: string | null }): Promise<Conversation> {
    return this.call("PATCH", `/v1/conversations/${id}`, { body: change });
  }
  members(id: ConversationId, cursor?: string): Promise<{ members: Member[]; next_cursor: string | null }> {
    const query = new URLSearchParams({ limit: "100", ...(cursor ? { cursor } : {}) });
    return this.call("GET", `/v1/conversations/${id}/members?${query}`);
  }
  addMembers(id: ConversationId, user_ids: UserId[]): Promise<{ added: UserId[]; not_added: NotAdded[] }> {
    return this.call("POST", `/v1/conversations/${id}/members`, { body: { user_ids } });
  }
  setRole(id: ConversationId, user_id: UserId, role: Role): Promise<void> {
    return this.call("PATCH", `/v1/conversations/${id}/members/${user_id}`, { body: { role } });
  }
  removeMember(id: ConversationId, user_id: UserId | "me"): Promise<void> {
    return this.call("DELETE", `/v1/conversations/${id}/members/${user_id}`);
  }
  link(id: ConversationId): Promise<Link> {
    return this.call("GET", `/v1/conversations/${id}/link`);
  }
  renewLink(id: ConversationId): Promise<Link> {
    return this.call("POST", `/v1/conversations/${id}/link`);
  }
  preview(code: string): Promise<Preview> {
    return this.call("GET", `/v1/links/${encodeURIComponent(code)}`);
  }
  join(code: string): Promise<Conversation> {
    return this.call("POST", `/v1/links/${encodeURIComponent(code)}/join`);
  }
  history(id: ConversationId, before: Seq): Promise<{ messages: Message[]; has_more: boolean }> {
    return this.call("GET", `/v1/conversations/${id}/messages?before=${before}`);
  }

  // === one call ===

  private async call<T>(method: string, path: string, options: Options = {}): Promise<T> {
    const headers = new Headers({ Accept: "application/json" });
    if (this.token !== null) headers.set("Authorization", `Bearer ${this.token}`);
    if (options.key !== undefined) headers.set("Idempotency-Key", options.key);
    let body: BodyInit | null = null;
    if (options.body instanceof FormData) body = options.body;
    else if (options.body instanceof Blob) {
      body = options.body;
      headers.set("Content-Type", options.body.type);
    } else if (options.body !== undefined) {
      body = JSON.stringify(options.body);
      headers.set("Content-Type", "application/json");
    }
    let response: Response;
    try {
      const signal = AbortSignal.timeout(options.patience ?? PATIENCE_MS);
      response = await fetch(this.base + path, { method, headers, body, signal, cache: "no-store", credentials: "omit" });
    } catch {
      throw new ApiError("offline", "");
    }
    if (response.status === 204) return undefined as T;
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as T;
    const problem = (answer ?? {}) as Partial<{ code: string; detail: string; errors: FieldError[]; retry_after_ms: number }>;
    const code = problem.code ?? (response.status >= 500 ? "unavailable" : "internal");
    if (code === "unauthenticated" && this.token !== null) this.onUnauthenticated();
    throw new ApiError(code, problem.detail ?? "", problem.errors ?? [], problem.retry_after_ms ?? 0);
  }
}
