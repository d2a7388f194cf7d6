import assert from "node:assert/strict";

const script = new URL("scripts/fit_until_signal.ts", import.meta.url).pathname;

/** Starts the script, sends the signals once it trains, and gives what it printed. */
async function run(
  folder: string,
  what: string,
  signals: Deno.Signal[],
): Promise<{ code: number; out: string; err: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, folder, what],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const errors = child.stderr.pipeThrough(new TextDecoderStream());
  let out = "", err = "";
  const waiting = [...signals];
  const reading = (async () => {
    for await (const text of errors) {
      err += text;
      // The second signal follows when the first was heard.
      if (err.includes("stopping after this training step") && waiting.length > 0) child.kill(waiting.shift()!);
    }
  })();
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += text;
    if (out.includes("training") && waiting.length === signals.length && waiting.length > 0) {
      child.kill(waiting.shift()!);
    }
  }
  await reading;
  return { code: (await child.status).code, out, err };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const) {
  Deno.test(`the first ${signal} ends a fit after the step with a checkpoint, from which it goes on, and a code that says so`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { code, out, err } = await run(folder, "long", [signal]);
      assert.equal(code, 75, err);
      const [, steps] = /interrupted (\d+) true/.exec(out) ?? assert.fail(out + err);
      const resumed = await run(folder, "resume", []);
      assert.equal(resumed.code, 0, resumed.err);
      assert.equal(resumed.out.trim(), `finished ${Number(steps) + 4}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("the second signal ends the process where it is", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, out } = await run(folder, "stuck", ["SIGINT", "SIGINT"]);
    assert.equal(code, 130);
    assert.doesNotMatch(out, /interrupted/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
