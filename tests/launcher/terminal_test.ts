import assert from "node:assert/strict";
import { runLauncher, script, startLauncher } from "./run_launcher.ts";
import { Witness } from "./witness.ts";

const missing = Deno.build.os !== "linux" || !await exists("script");
if (missing) console.log("skipped without util-linux's script: a terminal for the launcher");

Deno.test({
  name: "in a terminal rank 0's bar stays below the lines of the others, and is a line at the end",
  ignore: missing,
  async fn() {
    await using witness = new Witness();
    await using launcher = startLauncher(["--devices", "2", script("draw_bar")], {
      terminal: true,
      env: { WITNESS: witness.port },
    });
    const [zero, one] = [await witness.arrival("rank 0"), await witness.arrival("rank 1")];
    // deno-lint-ignore no-control-regex
    const [, columns] = await launcher.until(/\r\x1b\[K50 % of (\d+)/);
    // The line that the bar leaves at its end has the rank in front, and still fits the 80 columns of this terminal.
    assert.equal(Number(columns), 80 - "[rank 0] ".length - 1);
    await one.tell();
    // deno-lint-ignore no-control-regex
    await launcher.until(/\r\x1b\[K\[rank 1\] hello\r\n\r\x1b\[K50 % of \d+/);
    await zero.tell();
    const { code, stdout } = await launcher.end();
    assert.equal(code, 0);
    const end = `50 % of ${columns}\r\x1b[K[rank 0] 50 % of ${columns}\r\n`;
    assert.equal(stdout.slice(-end.length), end);
  },
});

Deno.test({
  name: "in a terminal Ctrl-C reaches the launcher alone, which then ends the ranks",
  ignore: missing,
  async fn() {
    await using witness = new Witness();
    await using launcher = startLauncher(["--devices", "2", script("save_on_term")], {
      terminal: true,
      env: { WITNESS: witness.port },
    });
    await Promise.all(["rank 0", "rank 1"].map((name) => witness.arrival(name)));
    await launcher.type("\x03");
    const { code, stdout } = await launcher.end();
    assert.equal(code, 130);
    assert.match(stdout, /\[rank 0\] saved/);
    assert.match(stdout, /\[rank 1\] saved/);
    assert.match(stdout, /weft: stopped by SIGINT/);
  },
});

Deno.test({
  name: "a single rank has the terminal for itself",
  ignore: missing,
  async fn() {
    const { code, stdout } = await runLauncher([script("is_terminal")], { terminal: true });
    assert.deepEqual([code, stdout], [0, "stdout true, stderr true\r\n"]);
  },
});

async function exists(command: string): Promise<boolean> {
  return (await new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" }).output()).success;
}
