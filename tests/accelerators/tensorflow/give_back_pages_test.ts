import assert from "node:assert/strict";
import { cleanRanges } from "../../../runtime/accelerators/tensorflow/give_back_pages.ts";
import { startTensorflow } from "../../../runtime/accelerators/tensorflow/start.ts";
import { tensorflowTest } from "./only_with_tensorflow.ts";

const entry = (range: string, permissions: string, path: string, [dirty, anonymous] = [0, 0]) =>
  `${range} ${permissions} 00001000 08:01 1234                       ${path}
Rss:                1024 kB
Private_Dirty:      ${`${dirty}`.padStart(5)} kB
Anonymous:          ${`${anonymous}`.padStart(5)} kB
VmFlags: rd ex mr mw me
`;

Deno.test("only what is a file of the folder, cannot be written to and was not changed is given back", () => {
  const smaps = [
    entry("7f0000000000-7f0000002000", "r-xp", "/lib/tf/libtensorflow_cc.so.2"),
    entry("7f0000002000-7f0000003000", "r--p", "/lib/tf/libtensorflow_cc.so.2", [4, 4]),
    entry("7f0000003000-7f0000004000", "r--p", "/lib/tf/libtensorflow_cc.so.2", [0, 4]),
    entry("7f0000004000-7f0000005000", "rw-p", "/lib/tf/libtensorflow_cc.so.2"),
    entry("7f0000005000-7f0000006000", "r-xp", "/lib/tf2/libother.so"),
    entry("7f0000006000-7f0000007000", "r-xp", "").trimEnd() + "\n",
    entry("7f0000008000-7f000000a000", "r--p", "/lib/tf/libtensorflow_framework.so.2"),
  ].join("");
  assert.deepEqual(cleanRanges(smaps, "/lib/tf"), [
    { from: 0x7f0000000000n, to: 0x7f0000002000n },
    { from: 0x7f0000008000n, to: 0x7f000000a000n },
  ]);
});

tensorflowTest(
  "once TensorFlow has started, hardly any of its library is in this process's memory, and it computes",
  async () => {
    if (Deno.build.os !== "linux") return void console.log("skipped: pages are counted in /proc");
    const { binding, directory } = await startTensorflow("cpu");
    const resident = Deno.readTextFileSync("/proc/self/smaps").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
      .filter((entry) => entry.split("\n")[0].includes(Deno.realPathSync(directory)))
      .reduce((sum, entry) => sum + Number(/^Rss: +(\d+) kB$/m.exec(entry)![1]), 0);
    assert.ok(resident < 64 * 1024, `${resident} kB of it are in memory; 250,000 where nothing is given back`);
    const id = binding.createTensor([2], 1, new Float32Array([1, 2]));
    const [{ id: negated }] = binding.executeOp("Neg", [{ name: "T", type: 4, value: 1 }], [id], 1);
    assert.deepEqual(binding.tensorDataSync(negated), new Float32Array([-1, -2]));
    binding[Symbol.dispose]();
  },
);
