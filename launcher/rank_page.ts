import type { PeerFailure } from "../runtime/core/activity.ts";
import { type Activity, ACTIVITY_BYTES, ActivityPage, pageText } from "../runtime/core/activity_page.ts";
import { parseRankError, type RankError } from "./rank_error.ts";

/** The launcher's side of what a rank is doing: a file that the rank has mapped. It outlives the rank. */
export class RankPage {
  /** Makes the file, with all its bytes on the disk: a disk that is full later takes nothing from it. */
  constructor(readonly path: string) {
    Deno.writeFileSync(path, new Uint8Array(ACTIVITY_BYTES), { mode: 0o600 });
  }

  /** What the rank is doing, or was when it ended. */
  activity(): Activity {
    return this.#read().read();
  }

  /** What the rank threw, if it wrote that down. */
  error(): RankError | undefined {
    return parseRankError(this.#read().error);
  }

  /** Tells the rank that another one failed. */
  tell(failure: PeerFailure): void {
    const message = failure.message.slice(0, 1_500), host = failure.host?.slice(0, 255);
    const { at, bytes } = pageText("notice", JSON.stringify({ ...failure, message, host }));
    try {
      using file = Deno.openSync(this.path, { write: true });
      // The length last: until it is there, there is no text.
      write(file, at + 4, bytes.subarray(4));
      write(file, at, bytes.subarray(0, 4));
    } catch {
      // The rank is ended in any case.
    }
  }

  remove(): void {
    Deno.removeSync(this.path);
  }

  #read(): ActivityPage {
    try {
      using file = Deno.openSync(this.path);
      const bytes = new Uint8Array(ACTIVITY_BYTES);
      // No more, however large somebody made the file.
      let done = 0;
      for (let count; (count = file.readSync(bytes.subarray(done)));) done += count;
      if (done === ACTIVITY_BYTES) return new ActivityPage(bytes.buffer);
    } catch {
      // Somebody removed it.
    }
    return new ActivityPage();
  }
}

function write(file: Deno.FsFile, at: number, bytes: Uint8Array): void {
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
