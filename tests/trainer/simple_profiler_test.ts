import assert from "node:assert/strict";
import { Line, planeLoader, quietTrainer } from "./support/line.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { SimpleProfiler } from "../../runtime/trainer/simple_profiler.ts";

Deno.test("the profiler's table has mean, calls, total and share, the longest first", () => {
  let now = 0;
  const profiler = new SimpleProfiler({ now: () => now });
  for (const [action, ms] of [["short", 100], ["long", 300], ["short", 100]] as const) {
    const done = profiler.start(action);
    now += ms;
    done();
  }
  const rows = profiler.summary("Report").split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.deepEqual(rows, [
    ["Action", "Mean duration (s)", "Num calls", "Total time (s)", "Percentage %"],
    ["Total", "-", "3", "0.500000", "100.00"],
    ["long", "0.300000", "1", "0.300000", "60.00"],
    ["short", "0.100000", "2", "0.200000", "40.00"],
  ]);
});

Deno.test("a fit with a profiler reports its hooks and steps", async () => {
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  const trainer = quietTrainer({ maxEpochs: 1, profiler: "simple", compile: false });
  await trainer.fit(new Line(), planeLoader());
  await trainer.close();
  const report = lines.find((line) => line.startsWith("FIT Profiler Report"))!;
  assert.match(report, /\[LightningModule\]Line\.trainingStep\s+\|\s+[\d.]+\s+\|\s+4\s+\|/);
});
