/** A file that only grows. A failed append leaves it as it was. */
export class AppendFile {
  readonly #path: string;
  /** Where the next bytes go; -1 before the file was looked at. */
  #size = -1;

  constructor(path: string) {
    this.#path = path;
  }

  /** Appends all of `bytes` or, if that fails, nothing. Makes the file if need be. */
  async append(bytes: Uint8Array): Promise<void> {
    using file = await Deno.open(this.#path, { write: true, create: true });
    this.#size = (await file.stat()).size;
    try {
      await file.seek(this.#size, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    } catch (error) {
      await file.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#size += bytes.length;
  }

  /** The same at once, while the process ends. If an append() is under way, `bytes` begin with its bytes and land on the same place. */
  appendNow(bytes: Uint8Array): void {
    using file = Deno.openSync(this.#path, { write: true, create: true });
    if (this.#size < 0) this.#size = file.statSync().size;
    file.seekSync(this.#size, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    this.#size += bytes.length;
  }
}
