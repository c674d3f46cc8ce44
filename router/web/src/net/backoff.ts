// How long to wait before the next try: full jitter between nothing and a bound that doubles.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

export class Backoff {
  private tries = 0;

  constructor(private readonly random: () => number = Math.random) {}

  next(atLeastMs = 0): number {
    const bound = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.tries);
    this.tries = Math.min(this.tries + 1, 10);
    return Math.round(atLeastMs + this.random() * bound);
  }

  reset(): void {
    this.tries = 0;
  }

  get failures(): number {
    return this.tries;
  }
}
