import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);

// V8 enlarges its young generation when it sees fit, by up to 80 MB: its size is given, so that what grows is what is lost.
const flags = "--expose-gc,--min-semi-space-size=8,--max-semi-space-size=8";

for (const ranks of [1, 2]) {
  Deno.test(`a rank's memory stays level over 20 epochs, with ${ranks === 1 ? "one rank" : "two ranks"}`, async () => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", `--v8-flags=${flags}`, "launcher/main.ts", "--devices", `${ranks}`],
        "tests/fabric/scripts/level_memory.ts",
      ],
      cwd: root,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const epochs: { tensors: number; rss: number; heap: number }[] = new TextDecoder().decode(stdout).trim().split("\n")
      .map((line) => JSON.parse(line.replace("[rank 0] ", "")));
    assert.equal(epochs.length, 20);
    assert.ok(epochs.every(({ tensors }) => tensors === epochs[0].tensors), "the number of tensors changes");
    const [middle, end] = [epochs[9], epochs[19]];
    assert.ok(end.heap < middle.heap * 1.05, `the heap grows from ${middle.heap} to ${end.heap} bytes in 10 epochs`);
    // Ten epochs are 1,000 steps: one lost batch or weight a step would be 300 MB.
    assert.ok(end.rss < middle.rss + 64e6, `resident memory grows from ${middle.rss} to ${end.rss} bytes in 10 epochs`);
  });
}
