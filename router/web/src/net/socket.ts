// The connection to one's cell: made, kept alive, made again. What is said on it is the store's affair.

import {
  CLOSED_TOO_MANY,
  CLOSED_UNAUTHENTICATED,
  isFinalClose,
  type ClientFrame,
  type Route,
  type ServerFrame,
} from "../protocol";
import { Backoff } from "./backoff";

const PING_EVERY_MS = 30_000;
const PONG_WITHIN_MS = 10_000;
/** The same where it may be gone, and somebody waits. */
const PONG_WITHIN_IN_DOUBT_MS = 2_500;
const OPEN_WITHIN_MS = 15_000;
/** Failures after which the way there is asked for anew. */
const ASK_ROUTE_AFTER = 3;
/** After a close that is our own fault: seldom, and never in a loop. */
const AFTER_FAULT_MS = 60_000;

export type Events = {
  opened(): void;
  closed(): void;
  frame(frame: ServerFrame): void;
  /** The session is over. */
  over(): void;
  /** Too many connections of this person. */
  tooMany(): void;
};

export class Link {
  private socket: WebSocket | null = null;
  private timers: ReturnType<typeof setTimeout>[] = [];
  private again: ReturnType<typeof setTimeout> | null = null;
  private pong: ReturnType<typeof setTimeout> | null = null;
  private readonly backoff = new Backoff();
  private opened = false;
  private stopped = false;
  private retryAfterMs = 0;
  private askRoute = false;

  constructor(
    private route: Route,
    private readonly findRoute: () => Promise<Route>,
    private readonly events: Events,
  ) {}

  start(): void {
    globalThis.addEventListener?.("online", this.hurry);
    globalThis.addEventListener?.("offline", this.doubt);
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    globalThis.removeEventListener?.("online", this.hurry);
    globalThis.removeEventListener?.("offline", this.doubt);
    if (this.again !== null) clearTimeout(this.again);
    this.drop(1000);
  }

  say(frame: ClientFrame): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** The network is back, or somebody looks: no reason to wait any longer. */
  readonly hurry = (): void => {
    if (this.stopped) return;
    if (this.socket === null) {
      if (this.again === null) return;
      clearTimeout(this.again);
      this.again = null;
      this.backoff.reset();
      void this.connect();
    } else {
      this.doubt();
    }
  };

  /** Something says that it may be gone: a ping tells whether it is, and soon. */
  private readonly doubt = (): void => {
    if (!this.opened) return;
    if (this.pong !== null) clearTimeout(this.pong);
    this.pong = null;
    this.ping(PONG_WITHIN_IN_DOUBT_MS);
  };

  private async connect(): Promise<void> {
    this.again = null;
    if (this.askRoute || this.backoff.failures >= ASK_ROUTE_AFTER) {
      try {
        this.route = await this.findRoute();
        this.askRoute = false;
      } catch {
        return this.later();
      }
    }
    if (this.stopped) return;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.route.socket_url, "skep.v1.json");
    } catch {
      return this.later();
    }
    this.socket = socket;
    this.timers.push(setTimeout(() => this.drop(), OPEN_WITHIN_MS));
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.clear();
      this.opened = true;
      this.timers.push(setInterval(() => this.ping(), PING_EVERY_MS));
      this.events.opened();
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket && typeof data === "string") this.heard(data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.gone(code);
    };
  }

  private heard(data: string): void {
    if (this.pong !== null) {
      clearTimeout(this.pong);
      this.pong = null;
    }
    const frame = JSON.parse(data) as ServerFrame;
    if (frame.type === "pong") return;
    if (frame.type === "synced") this.backoff.reset();
    if (frame.type === "moved") this.askRoute = true;
    if (frame.type === "bye") this.retryAfterMs = frame.retry_after_ms;
    this.events.frame(frame);
  }

  private ping(withinMs = PONG_WITHIN_MS): void {
    this.say({ type: "ping" });
    this.pong ??= setTimeout(() => this.drop(), withinMs);
  }

  /** Ends the connection without waiting for the other side to agree. */
  private drop(code = 4000): void {
    const socket = this.socket;
    if (socket === null) return;
    this.gone(0);
    socket.close(code);
  }

  private gone(code: number): void {
    this.clear();
    this.socket = null;
    this.opened = false;
    this.events.closed();
    if (this.stopped) return;
    if (code === CLOSED_UNAUTHENTICATED) return this.events.over();
    if (code === CLOSED_TOO_MANY) this.events.tooMany();
    if (isFinalClose(code)) this.retryAfterMs = AFTER_FAULT_MS;
    if (code === 4003) {
      // Moved: the new cell waits already.
      this.askRoute = true;
      this.backoff.reset();
    }
    this.later();
  }

  private later(): void {
    if (this.stopped) return;
    const wait = this.backoff.next(this.retryAfterMs);
    this.retryAfterMs = 0;
    this.again = setTimeout(() => void this.connect(), wait);
  }

  private clear(): void {
    this.timers.forEach(clearTimeout);
    this.timers = [];
    if (this.pong !== null) clearTimeout(this.pong);
    this.pong = null;
  }
}
