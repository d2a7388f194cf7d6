/** Kills the groups it was told of, and removes the folder, when its standard input ends: when the launcher is gone, however it went. */
const SCRIPT = `
groups=
while read -r verb group; do
  case $verb in
    watch) groups="$groups $group" ;;
    leave) exit 0 ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$1"
`;

/**
 * A small shell process that outlives the launcher by a moment: if the launcher is killed by KILL, which it cannot notice, the guard
 * kills the process groups of the ranks, with what the ranks started, and removes the launcher's temporary files. (On Linux a rank dies with its launcher anyway; its children would not.)
 */
export class OrphanGuard implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  /** @param folder a temporary folder of the launcher, to remove in its stead */
  constructor(folder: string) {
    this.#process = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT, "weft-orphan-guard", folder],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
  }

  /** Adds a process group. */
  watch(leader: number): void {
    this.#tell(`watch ${leader}\n`);
  }

  /** Ends the guard; it kills nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#tell("leave\n");
    await this.#input.close().catch(() => {});
    try {
      // If somebody stopped it, it would never read that.
      this.#process.kill("SIGCONT");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
  }

  #tell(line: string): void {
    // A guard that somebody killed is missed only if the launcher is killed too.
    this.#input.write(new TextEncoder().encode(line)).catch(() => {});
  }
}
