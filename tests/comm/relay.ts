/** Passes bytes on between whoever connects to it and a port of this host, and keeps what went by. */
export class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  #refusals: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #pumps: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  #isClosed = false;
  #hungUp = Promise.withResolvers<void>();
  #bytes: Uint8Array[] = [];

  /** @param options.refusals how many it hangs up on first, as if the target were not there yet. Default: 0 */
  constructor(target: number, options: { refusals?: number } = {}) {
    this.#target = target;
    this.#refusals = options.refusals ?? 0;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** What went by, both ways, each byte as one character. */
  get seen(): string {
    return this.#bytes.map((bytes) => String.fromCharCode(...bytes)).join("");
  }

  /** Waits until the target ends a connection. @throws Error if it has not for ten seconds */
  async hangsUp(): Promise<void> {
    const error = new Error("the target did not end a connection within 10 s");
    const timer = setTimeout(() => this.#hungUp.reject(error), 10_000);
    await this.#hungUp.promise.finally(() => clearTimeout(timer));
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      if (this.#refusals-- > 0) {
        client.close();
        continue;
      }
      // Who was hung up on comes again, also when the target has gone.
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target }).catch(() => undefined);
      if (!server || this.#isClosed) {
        client.close();
        server?.close();
        continue;
      }
      this.#open.add(client).add(server);
      this.#pumps.push(this.#pass(client, server), this.#pass(server, client).then(() => this.#hungUp.resolve()));
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    try {
      for await (const bytes of from.readable) {
        this.#bytes.push(bytes);
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
      }
    } catch {
      // One end was closed, which ends the other.
    }
    for (const one of [from, to]) {
      this.#open.delete(one);
      try {
        one.close();
      } catch {
        // It was closed by the other direction.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#listener.close();
    await this.#accepting;
    for (const one of this.#open) {
      try {
        one.close();
      } catch {
        // It ended by itself.
      }
    }
    await Promise.all(this.#pumps);
  }
}
