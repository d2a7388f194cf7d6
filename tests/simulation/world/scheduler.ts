import { setImmediate } from "node:timers";

/** Events are at whole ticks of 1/64 ms: what happens within one runs together. */
const TICKS_PER_MS = 64;

/** Something that is going to happen. */
export interface Event {
  callback: (() => void) | undefined;
}

/**
 * Virtual time: events happen in the order of their times, those of one time in the order in which they were planned, and the
 * time in between does not pass. After each tick all promises that can go on do.
 */
export class Scheduler {
  readonly #ticks: number[] = [];
  readonly #events = new Map<number, Event[]>();
  #tick = 0;
  /** How many events have happened. */
  count = 0;

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#tick / TICKS_PER_MS;
  }

  /** Plans an event. Without its callback it does not happen. */
  at(ms: number, callback: () => void): Event {
    const tick = Math.max(this.#tick + 1, Math.ceil(ms * TICKS_PER_MS));
    const event = { callback };
    const there = this.#events.get(tick);
    if (there) there.push(event);
    else {
      this.#events.set(tick, [event]);
      this.#push(tick);
    }
    return event;
  }

  /** Lets time pass until `isDone`, nothing is left to happen, or it would be after `limitMs`. Returns whether it was done. */
  async run(isDone: () => boolean, limitMs: number): Promise<boolean> {
    await settled();
    while (!isDone()) {
      const tick = this.#ticks[0];
      if (tick === undefined || tick > limitMs * TICKS_PER_MS) return false;
      this.#pop();
      const events = this.#events.get(tick)!;
      this.#events.delete(tick);
      this.#tick = tick;
      let ran = 0;
      for (const { callback } of events) {
        if (!callback) continue;
        callback();
        ran++;
      }
      this.count += ran;
      if (ran > 0) await settled();
    }
    return true;
  }

  #push(tick: number): void {
    const heap = this.#ticks;
    let at = heap.push(tick) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent] <= tick) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = tick;
  }

  #pop(): void {
    const heap = this.#ticks, last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= last) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

/** Resolves when no promise can go on by itself any more: the event loop takes its next turn only then. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
