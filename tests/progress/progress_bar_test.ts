import assert from "node:assert/strict";
import { formatProgress, formatTime, formatValue, truncate } from "../../runtime/progress/format.ts";
import { ProgressBar, type ProgressBarOptions } from "../../runtime/progress/progress_bar.ts";

/** A bar on a clock that the test turns and a stream that it reads, where `«clear»` is the escape that clears to the line's end. */
function barOn(options: ProgressBarOptions) {
  const clock = { ms: 1000 };
  let text = "";
  const decoder = new TextDecoder();
  // Takes three bytes at a time, as a pipe may.
  const stream = {
    writeSync(bytes: Uint8Array) {
      text += decoder.decode(bytes.subarray(0, 3), { stream: true });
      return Math.min(3, bytes.length);
    },
  };
  const bar = new ProgressBar({ stream, now: () => clock.ms, ...options });
  return { bar, clock, taken: () => [text.replaceAll("\x1b[K", "«clear»"), text = ""][0] };
}

Deno.test("a line looks like Lightning's", () => {
  const line = formatProgress({
    description: "Epoch 1",
    count: 40,
    total: 1095,
    elapsedMs: 3690,
    postfix: { v_num: 10 },
  });
  assert.equal(line, "Epoch 1:   3%|▎         | 40/1095 [00:03<01:37, 10.84it/s, v_num=10]");
});

Deno.test("lines at the start, at the end, without a total and with a slow rate", () => {
  const at = (count: number, total: number | undefined, elapsedMs: number) =>
    formatProgress({ description: "", count, total, elapsedMs, postfix: {} });
  assert.equal(at(0, 10, 0), "  0%|          | 0/10 [00:00<?, ?it/s]");
  assert.equal(at(10, 10, 5000), "100%|██████████| 10/10 [00:05<00:00, 2.00it/s]");
  assert.equal(at(40, undefined, 4000), "40it [00:04, 10.00it/s]");
  assert.equal(at(1, 4, 2000), " 25%|██▌       | 1/4 [00:02<00:06, 2.00s/it]");
  assert.equal(at(0, 0, 0), "100%|██████████| 0/0 [00:00<00:00, ?it/s]");
  assert.equal(at(12, 10, 6000), "100%|██████████| 12/10 [00:06<00:00, 2.00it/s]");
});

Deno.test("times and values are short and do not jump in width", () => {
  assert.deepEqual([0, 61, 3600, 90061].map(formatTime), ["00:00", "01:01", "1:00:00", "25:01:01"]);
  assert.deepEqual([10, 0.12, 0.97, 1234.5, NaN, 1e-7].map(formatValue), [
    "10",
    "0.120",
    "0.970",
    "1.23e+3",
    "NaN",
    "1.00e-7",
  ]);
  assert.equal(formatValue("a\nb"), "a b");
});

Deno.test("a line never exceeds the columns, and wide characters are not cut in two", () => {
  const state = { description: "漢字", count: 1, total: 2, elapsedMs: 1000, postfix: { loss: 0.5 } };
  assert.equal(
    formatProgress(state, 60),
    "漢字:  50%|█████████       | 1/2 [00:01<00:01, 1.00it/s, loss=0.500]".replace("█████████       ", bars(60)),
  );
  assert.equal(formatProgress(state, 9), "漢字:  50");
  assert.equal(formatProgress(state, 3), "漢");
  assert.equal(truncate("e\u0301e\u0301", 1), "e\u0301");
  assert.equal(truncate("👩‍🚀x", 1), "");
  function bars(columns: number) {
    const room = columns - "xxxx:  50%|".length - "| 1/2 [00:01<00:01, 1.00it/s, loss=0.500]".length;
    return ("█".repeat(Math.floor(room / 2)) + (room % 2 ? "▌" : "")).padEnd(room);
  }
});

Deno.test("in a terminal the bar is redrawn in place, at most every 100 ms", () => {
  const { bar, clock, taken } = barOn({ total: 1000, isTerminal: true, columns: 60 });
  bar.update();
  assert.match(taken(), /^\r {2}0%\|.*\| 1\/1000 \[00:00<\?, \?it\/s\]«clear»$/);
  for (let i = 0; i < 99; i++) {
    clock.ms += 1;
    bar.update();
  }
  assert.equal(taken(), "");
  clock.ms += 1;
  bar.update(1, { postfix: { loss: 0.25 } });
  assert.match(taken(), /^\r 10%\|.*\| 101\/1000 \[00:00<00:00, 1010.00it\/s, loss=0.250\]«clear»$/);
});

Deno.test("a printed line lands above the bar, which is drawn again", () => {
  const { bar, taken } = barOn({ total: 10, isTerminal: true, columns: 60 });
  bar.print("before");
  assert.equal(taken(), "before\n");
  bar.update();
  taken();
  bar.print("hello");
  assert.match(taken(), /^\r«clear»hello\n\r 10%.*«clear»$/);
});

Deno.test("closing leaves the finished bar, or nothing of it, and is done once", () => {
  const left = barOn({ total: 2, isTerminal: true, columns: 60 });
  left.bar.update(2);
  left.taken();
  left.bar.close();
  assert.match(left.taken(), /^\r100%.*«clear»\n$/);
  left.bar.close();
  left.bar.update();
  left.bar.refresh();
  assert.equal(left.taken(), "");
  const gone = barOn({ total: 2, isTerminal: true, columns: 60 });
  gone.bar.update(2);
  gone.taken();
  gone.bar.close({ leave: false });
  assert.equal(gone.taken(), "\r«clear»");
});

Deno.test("under a launcher the bar is text after a carriage return, without escapes", () => {
  const { bar, clock, taken } = barOn({ total: 4, isTerminal: false, columns: 50, description: "Epoch 2" });
  bar.update();
  assert.match(taken(), /^\rEpoch 2: {2}25%\|[^\r\n«]*$/);
  bar.print("a line");
  assert.match(taken(), /^\ra line\n\rEpoch 2: {2}25%\|[^\r\n«]*$/);
  clock.ms += 100;
  bar.update(3);
  taken();
  bar.close({ leave: false });
  assert.equal(taken(), "\r");
});

Deno.test("without a terminal there is a plain line every five seconds and one at the end", () => {
  const { bar, clock, taken } = barOn({ total: 1000, isTerminal: false, description: "Epoch 1" });
  for (let i = 0; i < 100; i++) {
    clock.ms += 100;
    bar.update();
  }
  bar.refresh();
  assert.deepEqual(taken().split("\n"), [
    "Epoch 1:   5%|▌         | 50/1000 [00:05<01:35, 10.00it/s]",
    "Epoch 1:  10%|█         | 100/1000 [00:10<01:30, 10.00it/s]",
    "",
  ]);
  bar.setDescription("Epoch 1 done");
  bar.setPostfix({ val_acc: 0.9669 });
  bar.close();
  assert.equal(taken(), "Epoch 1 done:  10%|█         | 100/1000 [00:10<01:30, 10.00it/s, val_acc=0.967]\n");
});

Deno.test("a stream that fails does not end the loop", () => {
  const stream = {
    writeSync() {
      throw new Deno.errors.BrokenPipe("broken pipe");
    },
  };
  const bar = new ProgressBar({ total: 1, stream, isTerminal: true });
  bar.update();
  bar.close();
  assert.equal(bar.count, 1);
});

Deno.test("wrong options are refused by name", () => {
  assert.throws(() => new ProgressBar({ total: NaN }), /total from 0 up, or none, but got NaN/);
  assert.throws(() => new ProgressBar({ total: -1 }), RangeError);
  assert.throws(() => new ProgressBar({ columns: 0 }), /columns from 1 up/);
  assert.throws(() => new ProgressBar({ totl: 1 } as never), /has no option `totl`; did you mean `total`/);
});

Deno.test("without a terminal the line of a loop that is done comes once, when it is closed", () => {
  const { bar, clock, taken } = barOn({ total: 10, isTerminal: false });
  clock.ms += 6000;
  bar.update(10);
  bar.setPostfix({ val_acc: 0.5 });
  assert.equal(taken(), "");
  bar.close();
  assert.equal(taken(), "100%|██████████| 10/10 [00:06<00:00, 1.67it/s, val_acc=0.500]\n");
});
