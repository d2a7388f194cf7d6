/** A process that lives, or did. */
export interface Attendant {
  /** Resolves when it does not any more. */
  readonly gone: Promise<void>;
  /** Tells it something: it waits for no more than that (`told`). */
  tell(): Promise<void>;
}

/**
 * Sees processes live and die: they connect (see scripts/attend.ts) and send their name, and their connection ends when they do.
 */
export class Witness implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  readonly #seen = new Map<string, PromiseWithResolvers<Attendant>>();
  readonly #accepting = this.#accept();

  /** What to give the processes as `WITNESS`. */
  get port(): string {
    return String((this.#listener.addr as Deno.NetAddr).port);
  }

  /** Resolves when the process of this name lives, and can be waited for. */
  async arrival(name: string): Promise<Attendant> {
    return await this.#of(name).promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) connection.close();
  }

  #of(name: string) {
    const entry = this.#seen.get(name) ?? Promise.withResolvers<Attendant>();
    this.#seen.set(name, entry);
    return entry;
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.#connections.push(connection);
        const buffer = new Uint8Array(256);
        const count = await connection.read(buffer) ?? 0;
        const gone = (async () => {
          // A killed process resets its connection, which is an end too.
          while (await connection.read(buffer).catch(() => null) !== null);
        })();
        this.#of(new TextDecoder().decode(buffer.subarray(0, count))).resolve({
          gone,
          tell: async () => void await connection.write(new Uint8Array(1)),
        });
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource) && !(error instanceof Deno.errors.Interrupted)) throw error;
    }
  }
}
