import assert from "node:assert/strict";
import { ConsoleOutput, type StreamName } from "../../launcher/console_output.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function recording(terminal: boolean) {
  const written: [StreamName, string][] = [];
  const output = new ConsoleOutput({
    terminal,
    write(stream, bytes) {
      written.push([stream, new TextDecoder().decode(bytes)]);
      return Promise.resolve();
    },
  });
  return { output, written };
}

Deno.test("in a terminal the bar is erased before a line and drawn again below it", async () => {
  const { output, written } = recording(true);
  void output.transient(encode("50 %"));
  void output.lines("stdout", [encode("hello")], "[rank 1] ");
  void output.transient(undefined);
  void output.lines("stdout", [encode("bye")], "[rank 1] ");
  await output.flush();
  assert.deepEqual(written, [
    ["stderr", "\r\x1b[K50 %"],
    ["stderr", "\r\x1b[K"],
    ["stdout", "[rank 1] hello\n"],
    ["stderr", "\r\x1b[K50 %"],
    ["stderr", "\r\x1b[K"],
    ["stdout", "[rank 1] bye\n"],
  ]);
});

Deno.test("without a terminal nothing transient is written", async () => {
  const { output, written } = recording(false);
  void output.transient(encode("50 %"));
  void output.lines("stderr", [encode("a"), encode("b")], "> ");
  await output.say("done\nreally");
  assert.deepEqual(written, [["stderr", "> a\n> b\n"], ["stderr", "done\nreally\n"]]);
});

Deno.test("what cannot be written is dropped, and the next is tried", async () => {
  let fail = true;
  const written: string[] = [];
  const output = new ConsoleOutput({
    terminal: false,
    write(_stream, bytes) {
      if (fail) return Promise.reject(new Deno.errors.BrokenPipe());
      written.push(new TextDecoder().decode(bytes));
      return Promise.resolve();
    },
  });
  await output.say("lost");
  fail = false;
  await output.say("kept");
  assert.deepEqual(written, ["kept\n"]);
});
