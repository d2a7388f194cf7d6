/** How long a key is. */
const KEY_BYTES = 32;

/**
 * The secret of a run that spans hosts: who has it may take part, nobody else is answered. An object, so that printing whatever
 * holds it prints no secret.
 *
 * @example
 * ```ts
 * const key = RunKey.random();
 * console.assert(RunKey.parse(key.toText()).equals(key));
 * console.assert(!Deno.inspect({ key }).includes(key.toText()));
 * ```
 */
export class RunKey {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** A new one. */
  static random(): RunKey {
    return new RunKey(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
  }

  /**
   * Reads one from its text: 64 hexadecimal digits.
   * @throws TypeError if it is something else, without showing what
   */
  static parse(text: string): RunKey {
    const digits = text.trim();
    if (/^[0-9a-f]{64}$/i.test(digits)) return new RunKey(Uint8Array.fromHex(digits));
    throw new TypeError(
      `A run's key has 64 hexadecimal digits, as \`openssl rand -hex 32\` prints them; this one has ${digits.length} characters` +
        (digits.length === 64 ? ", not all of them such digits" : ""),
    );
  }

  /** Its 64 digits: for the environment of a rank, or a file that only its owner can read. */
  toText(): string {
    return this.#bytes.toHex();
  }

  /** 32 bytes for one purpose, from which neither the key nor those for another follow (HKDF with SHA-256, RFC 5869). */
  async derive(purpose: string): Promise<Uint8Array<ArrayBuffer>> {
    const material = await crypto.subtle.importKey("raw", this.#bytes, "HKDF", false, ["deriveBits"]);
    const info = new TextEncoder().encode(purpose);
    const bits = await crypto.subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
      material,
      KEY_BYTES * 8,
    );
    return new Uint8Array(bits);
  }

  equals(other: RunKey): boolean {
    return this.#bytes.every((byte, i) => byte === other.#bytes[i]);
  }
}
