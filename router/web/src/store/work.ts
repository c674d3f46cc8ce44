// What the parts of a step share.

import type { Effect, Touched } from "./event";
import type { Conversations } from "./conversations";
import type { History } from "./history";
import type { Outbox } from "./outbox";
import type { Kept, State } from "./state";

export interface Work {
  readonly state: State;
  readonly now: number;
  readonly effects: Effect[];
  readonly touched: Touched;
  readonly history: History;
  readonly outbox: Outbox;
  readonly conversations: Conversations;
  /** The number of a new request. */
  ref(): number;
  touch(kept: Kept): void;
}
