import assert from "node:assert/strict";
import type { ErrorReport } from "../../launcher/error_report.ts";
import { runLauncher, script, startLauncher } from "./run_launcher.ts";

const SCRIPT = script("fail_by_generation");

async function run(options: string[], ...how: string[]) {
  const folder = await Deno.makeTempDir();
  try {
    const all = ["--devices", "2", "--restart-delay", "0.01", "--error-file", `${folder}/new/report.json`, ...options];
    const ended = await runLauncher([...all, SCRIPT, ...how]);
    const text = await Deno.readTextFile(`${folder}/new/report.json`).catch(() => undefined);
    return { ...ended, report: text === undefined ? undefined : JSON.parse(text) as ErrorReport };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a run that fails is started again as a new generation, as often as it may be", async () => {
  const { code, stdout, stderr, report } = await run(["--max-restarts", "2"], "kill:4", "throw:9");
  assert.equal(code, 0, stderr);
  for (const generation of [0, 1, 2]) assert.match(stdout, new RegExp(`^\\[rank 1\\] generation ${generation}$`, "m"));
  assert.match(stderr, /^weft: rank 1 was killed by SIGKILL, .*\n.*at step 4, in trainingStep$/m);
  assert.match(stderr, /^weft: restart 1 of 2 in 0.01 s$/m);
  assert.match(stderr, /^weft: restart 2 of 2 in 0.02 s$/m);
  assert.match(stderr, /^weft: finished after 2 restarts$/m);
  assert.deepEqual([report?.exitCode, report?.category, report?.generation], [0, "finished", 2]);
  assert.deepEqual(report?.earlier.map(({ failure }) => [failure?.rank, failure?.signal, failure?.step]), [
    [1, "SIGKILL", 4],
    [1, undefined, 9],
  ]);
});

Deno.test("the same failure at the same step twice ends it, and it says so", async () => {
  const { code, stderr } = await run(["--max-restarts", "5"], "throw:7", "throw:7", "none");
  assert.equal(code, 1);
  assert.match(stderr, /^weft: not restarted: it failed at step 7 twice in the same way: a restart would not help$/m);
});

Deno.test("after the last restart the failure is the launcher's", async () => {
  const { code, stderr } = await run(["--max-restarts", "1"], "throw:7", "exit:3");
  assert.equal(code, 3);
  assert.match(stderr, /^weft: not restarted: it was restarted 1 time, which is all it may be$/m);
});

Deno.test("the report as JSON tells the first failure, where it was, and what the others did", async () => {
  const { code, report } = await run([], "throw:7");
  assert.equal(code, 1);
  assert(report?.failure);
  const { failure, ranks, ...rest } = report;
  assert.deepEqual([rest.version, rest.exitCode, rest.category, rest.generation, rest.earlier], [1, 1, "rank", 0, []]);
  assert.deepEqual([failure.rank, failure.host, failure.how, failure.step, failure.operation], [
    ...[1, Deno.hostname(), "failed", 7, "trainingStep"],
  ]);
  assert.equal(failure.error?.name, "RangeError");
  assert.match(failure.error!.message, /lost the data/);
  assert.match(failure.error!.stack, /fail_by_generation\.ts:\d+/);
  assert.deepEqual(ranks.map(({ rank, exitCode, signal }) => [rank, exitCode, signal]), [
    [0, 143, "SIGTERM"],
    [1, 1, undefined],
  ]);
});

Deno.test("a launcher that was called wrongly reports that too", async () => {
  const { code, report } = await run(["--devices", "0"]);
  assert.equal(code, 2);
  assert.equal(report?.category, "usage");
  assert.match(report!.message!, /--devices 0/);
});

Deno.test("a run that goes well leaves no report", async () => {
  const { code, report } = await run([], "none");
  assert.deepEqual([code, report], [0, undefined]);
});

Deno.test("a signal while it waits for a restart ends it", async () => {
  const args = ["--devices", "2", "--max-restarts", "3", "--restart-delay", "600", SCRIPT, "kill:4"];
  await using launcher = startLauncher(args);
  await launcher.until(/weft: restart 1 of 3 in 30 s/);
  launcher.kill("SIGINT");
  const { code, stdout } = await launcher.end();
  assert.equal(code, 130);
  assert.doesNotMatch(stdout, /generation 1/);
});
