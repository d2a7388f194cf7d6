import assert from "node:assert/strict";
import { lives } from "./living.ts";
import { runLauncher, script, startLauncher } from "./run_launcher.ts";
import { Witness } from "./witness.ts";

Deno.test("a rank's exit code becomes the launcher's, and the others are ended", async () => {
  await using witness = new Witness();
  const { code, stderr } = await runLauncher(["--devices", "3", script("fail"), "exit"], {
    env: { WITNESS: witness.port },
  });
  assert.equal(code, 3);
  assert.match(stderr, /^weft: rank 1 failed with exit code 3, and was the first to fail$/m);
  assert.match(stderr, /^weft: the launcher ended the others: rank 0 by SIGTERM, rank 2 by SIGTERM$/m);
});

Deno.test("what a rank threw is reported with its cause and the user's line", async () => {
  await using witness = new Witness();
  const { code, stderr } = await runLauncher(["--devices", "2", script("fail"), "throw"], {
    env: { WITNESS: witness.port },
  });
  assert.equal(code, 1);
  const report = stderr.slice(stderr.indexOf("weft: rank 1 failed with exit code 1"));
  assert.match(report, /^ {2}RangeError: the loss is NaN\n {6}at .*fail\.ts:\d+:\d+/m);
  assert.match(report, /^ {2}Caused by: Error: a bad batch$/m);
  assert.match(report, /^ {2}on \S+, \d{4}-\d\d-\d\dT[\d:.]+Z$/m);
});

Deno.test("a rejection that nobody handles, of something that is no error, is reported too", async () => {
  await using witness = new Witness();
  const { code, stderr } = await runLauncher(["--devices", "2", script("fail"), "later"], {
    env: { WITNESS: witness.port },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^weft: rank 1 failed with exit code 1, and was the first to fail\n {2}just a string$/m);
});

Deno.test("a rank that is killed is reported with its signal, and counts 128 and its number", async () => {
  await using witness = new Witness();
  const { code, stderr } = await runLauncher(["--devices", "2", script("fail"), "kill"], {
    env: { WITNESS: witness.port },
  });
  assert.equal(code, 137);
  assert.match(stderr, /^weft: rank 1 was killed by SIGKILL, and was the first to fail$/m);
});

Deno.test("a single rank's failure is the launcher's, too", async () => {
  const { code, stderr } = await runLauncher([script("echo_failure")]);
  assert.equal(code, 1);
  assert.match(stderr, /^weft: rank 0 failed with exit code 1/m);
  assert.doesNotMatch(stderr, /the others/);
});

Deno.test("a rank that failed because another did is not blamed", async () => {
  await using witness = new Witness();
  await using launcher = startLauncher(["--devices", "2", script("echo_failure")], { env: { WITNESS: witness.port } });
  await witness.arrival("rank 1");
  await (await witness.arrival("rank 0")).tell();
  const { code, stderr } = await launcher.end();
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^weft: rank 1 failed with exit code 1, and was the first to fail\n {2}Error: the disk is full$/m,
  );
});

Deno.test("a script that does not compile is reported by what the rank printed, where that went to files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/broken.ts`, "const = 3;\n");
    const { code, stderr } = await runLauncher(["--log-dir", `${folder}/logs`, `${folder}/broken.ts`]);
    assert.equal(code, 1);
    assert.match(stderr, /its last lines on standard error:\n {2}\| .*[^]*broken\.ts/);
    assert.match(stderr, new RegExp(`^weft: the ranks' output is in ${folder}/logs$`, "m"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ranks that exit with 0 early are no reason to end the others", async () => {
  await using witness = new Witness();
  await using launcher = startLauncher(["--devices", "2", script("save_on_term")], { env: { WITNESS: witness.port } });
  const [zero, one] = [await witness.arrival("rank 0"), await witness.arrival("rank 1")];
  const [, pid] = await launcher.until(/\[rank 0\] pid (\d+)/);
  Deno.kill(Number(pid), "SIGTERM");
  await zero.gone;
  await launcher.until(/\[rank 0\] saved/);
  const [, other] = await launcher.until(/\[rank 1\] pid (\d+)/);
  assert(await lives(Number(other)));
  Deno.kill(Number(other), "SIGTERM");
  await one.gone;
  const { code, stderr } = await launcher.end();
  assert.deepEqual([code, stderr], [0, ""]);
});

for (const how of [[], ["detached"]]) {
  Deno.test({
    name: `what the ranks started is ended with them${how.length > 0 ? ", even in process groups of its own" : ""}`,
    ignore: how.length > 0 && Deno.build.os !== "linux",
    async fn() {
      await using witness = new Witness();
      const args = ["--devices", "2", "--grace", "5", script("start_sleep"), "fail", ...how];
      await using launcher = startLauncher(args, { env: { WITNESS: witness.port } });
      const gone = await Promise.all(["child of 0", "child of 1"].map((name) => witness.arrival(name)));
      await witness.arrival("rank 0");
      await (await witness.arrival("rank 1")).tell();
      const { code, stdout } = await launcher.end();
      assert.equal(code, 7);
      await Promise.all(gone.map((child) => child.gone));
      const sleeps = [...stdout.matchAll(/sleep is (\d+)/g)].map(([, pid]) => Number(pid));
      assert.equal(sleeps.length, 2);
      for (const pid of sleeps) assert.equal(await lives(pid), false);
    },
  });
}

Deno.test("what ranks leave behind is ended after a run that went well", async () => {
  await using witness = new Witness();
  const { code, stdout, stderr } = await runLauncher(["--devices", "2", script("start_sleep"), "leave"], {
    env: { WITNESS: witness.port },
  });
  assert.deepEqual([code, stderr], [0, ""]);
  const sleeps = [...stdout.matchAll(/sleep is (\d+)/g)].map(([, pid]) => Number(pid));
  assert.equal(sleeps.length, 2);
  for (const pid of sleeps) assert.equal(await lives(pid), false);
});

Deno.test("a rank that ignores TERM gets KILL after the grace time", async () => {
  await using witness = new Witness();
  const args = ["--devices", "2", "--grace", "0.3", script("ignore_term"), "fail"];
  await using launcher = startLauncher(args, { env: { WITNESS: witness.port } });
  const { code, stderr } = await launcher.end();
  assert.equal(code, 4);
  assert.match(stderr, /^weft: the launcher ended the others: rank 1 by SIG(KILL|TERM)$/m);
});

Deno.test("an op that fails deep within libraries is reported with the user's line", async () => {
  const { code, stderr } = await runLauncher([script("fail_op")]);
  assert.equal(code, 1);
  const report = stderr.slice(stderr.indexOf("weft: rank 0 failed with exit code 1"));
  assert.match(report, /^ {6}… \d+ calls within libraries\n {6}at .*fail_op\.ts:7:\d+/m);
  // The process's own words too, with all that lies between.
  assert.match(stderr, /^ {4}at .*fail_op\.ts:7:\d+/m);
});
