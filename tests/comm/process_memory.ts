import type { Segment, SharedMemory } from "../../runtime/comm/shared_memory.ts";

/** What may be told to fail: the error, or undefined. */
export interface Faults {
  create?: () => Error | undefined;
  open?: () => Error | undefined;
  reserve?: (offset: number, bytes: number) => Error | undefined;
}

/** Shared memory of ranks within one process, which counts what is open and checks that only reserved bytes hold something. */
export class ProcessMemory implements SharedMemory {
  readonly #segments = new Map<string, WebAssembly.Memory>();
  readonly #reserved: [number, number][] = [];
  readonly faults: Faults;
  made = 0;
  openCount = 0;

  constructor(faults: Faults = {}) {
    this.faults = faults;
  }

  create(bytes: number): Segment {
    fail(this.faults.create?.());
    const name = `segment ${++this.made}`, pages = Math.ceil(bytes / 65_536);
    this.#segments.set(name, new WebAssembly.Memory({ initial: pages, maximum: pages }));
    return this.#segment(name);
  }

  open(name: string): Segment {
    fail(this.faults.open?.());
    if (!this.#segments.has(name)) throw new Error(`there is no ${name}`);
    return this.#segment(name);
  }

  /** Bytes of a segment that are not zero. */
  writtenBytes(name: string): number {
    return new Uint8Array(this.#segments.get(name)!.buffer).reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0);
  }

  /** Bytes that were written without having been reserved. */
  get trespassed(): number {
    let count = 0;
    for (const memory of this.#segments.values()) {
      const bytes = new Uint8Array(memory.buffer).slice();
      for (const [offset, length] of this.#reserved) bytes.fill(0, offset, offset + length);
      count += bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0);
    }
    return count;
  }

  #segment(name: string): Segment {
    const memory = this.#segments.get(name)!;
    let isOpen = true;
    this.openCount++;
    return {
      name,
      memory,
      reserve: (offset, bytes) => {
        fail(this.faults.reserve?.(offset, bytes));
        this.#reserved.push([offset, bytes]);
      },
      close: () => {
        if (isOpen) this.openCount--;
        isOpen = false;
      },
    };
  }
}

function fail(error: Error | undefined): void {
  if (error) throw error;
}
