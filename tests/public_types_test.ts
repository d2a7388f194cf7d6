import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

/** What strategies and accelerators are made of; bases, members and forms of what is exported, which nobody names. */
const INNER = new Set([
  ...[
    "Accelerator",
    "Leaf",
    "PrecisionInUse",
    "ProcessGroup",
    "ProcessGroupChoice",
    "RankFlags",
    "StartReduceEngine",
    "Synchronizer",
  ],
  ...["BackwardOptions", "BackwardResult", "Columns", "Counts", "CurveMetric", "DataLoaderConstructor", "Loader"],
  ...["FabricModuleMembers", "GradientOptimizer", "GradientOptimizerOptions", "JoinableBatches", "Members"],
  ...["ParameterUpdate", "PROCESS_GROUP_NAMES", "Ranked", "Reduction", "StatScores", "StepReceiver", "TrainerState"],
]);
/** Of TensorFlow.js, under `tf`. */
const TENSORFLOW = new Set(["Tensor", "Tensor1D", "Variable", "Layer", "LayersModel", "Optimizer"]);

Deno.test("every type that a public signature names can be imported from mod.ts", async () => {
  const root = new URL("../", import.meta.url);
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", fileURLToPath(new URL("mod.ts", root))],
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  const found = [
    ...new TextDecoder().decode(stderr).matchAll(
      /error\[private-type-ref\]: public type '(.*)' references private type '(.*)'\n *--> (.*?):\d+:\d+/g,
    ),
  ];
  assert.ok(found.length > 50, "`deno doc --lint` says nothing of tf's types: has it changed?");
  const own = found.filter(([, , , file]) => file.startsWith(fileURLToPath(root)));
  const missing = own.filter(([, , type]) => !INNER.has(type) && !TENSORFLOW.has(type));
  assert.deepEqual(missing.map(([, where, type]) => `${type} of ${where}`), []);
});
