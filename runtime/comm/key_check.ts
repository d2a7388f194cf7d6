import { Handshakes } from "./handshakes.ts";
import type { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** Options of {@linkcode KeyCheck}. */
export interface KeyCheckOptions {
  /** Where the socket connects to. */
  endpoint: string;
  ipv6: boolean;
  /** Whether it has a key. */
  hasKey: boolean;
}

/**
 * Finds out that a server refuses the key of who connects to it. The server says nothing then: it hangs up in the middle of the handshake, as somebody does who ends, or who only passes bytes on to one
 * that is not there yet. So somebody without a key knocks, too: if he is told that there is a server that wants one, and the socket with the key is hung up on once more after that,
 * it is the key.
 */
export class KeyCheck {
  readonly #context: Context;
  readonly #options: KeyCheckOptions;
  readonly #own: Handshakes;
  readonly #knocking: Handshakes;
  #knocker: Socket | undefined;
  #wantsKey = false;
  #isOver = false;

  /** @param socket not connected yet */
  constructor(context: Context, socket: Socket, options: KeyCheckOptions) {
    this.#context = context;
    this.#options = options;
    this.#own = new Handshakes(context).of(socket);
    this.#knocking = new Handshakes(context);
  }

  /** Sockets that become readable when it is time to {@linkcode look}. */
  get ears(): Socket[] {
    return [this.#own.ear, this.#knocking.ear];
  }

  /** Why the server will never answer, in words that follow what it is called; undefined as long as it may. */
  look(): string | undefined {
    const { hasKey } = this.#options;
    let hasJustHeard = false;
    for (const end of this.#knocking.ended()) {
      if (end !== "mismatch") continue;
      this.#wantsKey = hasJustHeard = true;
      this.#stopKnocking();
    }
    for (const end of this.#own.ended()) {
      if (end === "succeeded") this.#finish();
      if (this.#isOver) continue;
      if (end === "mismatch") {
        return hasKey ? "takes no key: it is another run's" : "takes nobody without the run's key";
      }
      // What the socket tells of by now may have been before the knocker was told.
      if (end === "hung up" && hasKey && !hasJustHeard) {
        if (this.#wantsKey) return "refuses this key: it is not the one of the run that is there";
        this.#knock();
      }
    }
    return undefined;
  }

  #knock(): void {
    if (this.#knocker) return;
    const { endpoint, ipv6 } = this.#options;
    this.#knocker = this.#context.socket(SocketType.DEALER, { ipv6 });
    this.#knocking.of(this.#knocker);
    this.#knocker.connect(endpoint);
  }

  #stopKnocking(): void {
    this.#knocking.stop();
    this.#knocker?.close();
  }

  #finish(): void {
    this.#isOver = true;
    this.#own.stop();
    this.#stopKnocking();
  }
}
