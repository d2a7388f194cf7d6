import assert from "node:assert/strict";
import { histogram } from "../../runtime/loggers/histogram.ts";
import { TensorBoardLogger } from "../../runtime/loggers/tensorboard_logger.ts";
import { crc32c, maskedCrc32c } from "../../runtime/loggers/tfrecord.ts";
import { scalarsOf } from "./read_event_file.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

Deno.test("checksums are those of RFC 3720 and of TensorFlow's first record", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  // The start of any event file: a record of 24 bytes, the length's checksum as tensorboard's own writer puts it.
  assert.equal(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0)), 0x224b7fa3);
});

Deno.test("a histogram counts every finite value in a bucket that holds it", () => {
  const values = [-3, -1e-13, 0, 0, 1e-20, 0.5, 2, 2, 1e300, NaN, Infinity];
  const { min, max, count, sum, sumOfSquares, limits, counts } = histogram(values);
  assert.deepEqual([min, max, count, sum], [-3, 1e300, 9, 1e300]);
  assert.equal(sumOfSquares, Infinity);
  assert.equal(counts.reduce((a, b) => a + b), 9);
  assert.equal(limits.length, counts.length);
  for (let i = 1; i < limits.length; i++) assert.ok(limits[i] > limits[i - 1]);
  const bucketOf = (value: number) => limits.findIndex((limit) => value < limit);
  const expected = new Map<number, number>();
  for (const value of values.filter(Number.isFinite)) {
    expected.set(bucketOf(value), (expected.get(bucketOf(value)) ?? 0) + 1);
  }
  assert.deepEqual(
    new Map([...counts.entries()].filter(([, n]) => n > 0)),
    new Map([...expected].sort((a, b) => a[0] - b[0])),
  );
  assert.deepEqual(histogram([]).counts, []);
});

Deno.test("what is not written yet when the process exits is written then", async () => {
  await inTemporaryFolder(async (folder) => {
    const module = new URL("../../runtime/loggers/tensorboard_logger.ts", import.meta.url);
    const script = `
      import { TensorBoardLogger } from ${JSON.stringify(module)};
      const logger = new TensorBoardLogger(${JSON.stringify(folder)}, { name: "" });
      logger.logMetrics({ a: 1 }, 0);
      await logger.save();
      logger.logMetrics({ a: 2 }, 1);
      logger.save();
      logger.logMetrics({ a: 3 }, 2);
      Deno.exit(7);`;
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--quiet", `${folder}/script.ts`],
    }).output();
    assert.equal(code, 7, new TextDecoder().decode(stderr));
    const [file, ...others] = [...Deno.readDirSync(`${folder}/version_0`)];
    assert.deepEqual(others, []);
    const scalars = scalarsOf(await Deno.readFile(`${folder}/version_0/${file.name}`));
    assert.deepEqual(scalars.map(({ value }) => value), [1, 2, 3]);
  });
});

const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
acc = EventAccumulator(sys.argv[1], size_guidance={"histograms": 0, "scalars": 0, "tensors": 0})
acc.Reload()
hparams = {}
for tag, data in acc.summary_metadata.items():
    if data.plugin_data.plugin_name == "hparams":
        p = plugin_data_pb2.HParamsPluginData.FromString(acc.SummaryMetadata(tag).plugin_data.content)
        hparams[tag] = p
start = hparams["_hparams_/session_start_info"].session_start_info.hparams
print(json.dumps({
    "scalars": {t: [[e.step, e.value] for e in acc.Scalars(t)] for t in acc.Tags()["scalars"]},
    "histograms": {t: [[e.step, h.min, h.max, h.num, h.sum, h.sum_squares, sum(h.bucket), len(h.bucket) == len(h.bucket_limit)]
                       for e in acc.Histograms(t) for h in [e.histogram_value]] for t in acc.Tags()["histograms"]},
    "text": {t: [[e.step, [s.decode() for s in e.tensor_proto.string_val]] for e in acc.Tensors(t)]
             for t in acc.Tags()["tensors"] if t.endswith("text_summary")},
    "hparams": {k: getattr(v, v.WhichOneof("kind")) for k, v in start.items()},
    "infos": {i.name: i.type for i in hparams["_hparams_/experiment"].experiment.hparam_infos},
    "metrics": [m.name.tag for m in hparams["_hparams_/experiment"].experiment.metric_infos],
    "status": hparams["_hparams_/session_end_info"].session_end_info.status,
    "files": acc.file_version,
}))
`;

Deno.test("TensorBoard's own reader sees scalars, histograms, text and hyperparameters", async (t) => {
  const python = Deno.env.get("WEFT_TEST_PYTHON") ?? "python3";
  const run = (...args: string[]) => new Deno.Command(python, { args }).output().catch(() => undefined);
  if (!(await run("-c", "import tensorboard.backend.event_processing.event_accumulator"))?.success) {
    console.log(`skipped: ${python} has no tensorboard; name one that has in WEFT_TEST_PYTHON`);
    await t.step({ name: "needs a Python with tensorboard", ignore: true, fn() {} });
    return;
  }
  await inTemporaryFolder(async (folder) => {
    const logger = new TensorBoardLogger(folder, { name: "MNIST" });
    logger.logHyperparams({ lr: 1e-3, name: "mlp", bias: true, optim: { betas: [0.9, 0.999] } }, { val_acc: 0 });
    for (let step = 0; step < 3; step++) logger.logMetrics({ loss: 1 / 2 ** step, "val/acc": step / 4 }, step * 1000);
    logger.logMetrics({ big: 1 }, 2 ** 40);
    await logger.save();
    logger.logHistogram("kernel", new Float32Array([-1, 0.5, 0.5, 2]), 7);
    logger.logText("notes", "**bold** ü", 3);
    await logger.finalize("failed");
    const output = await run("-c", READ, logger.logDir);
    assert.ok(output?.success, new TextDecoder().decode(output?.stderr));
    assert.deepEqual(JSON.parse(new TextDecoder().decode(output.stdout)), {
      scalars: {
        val_acc: [[0, 0]],
        loss: [[0, 1], [1000, 0.5], [2000, 0.25]],
        "val/acc": [[0, 0], [1000, 0.25], [2000, 0.5]],
        big: [[2 ** 40, 1]],
      },
      histograms: { kernel: [[7, -1, 2, 4, 2, 5.5, 4, true]] },
      text: { "notes/text_summary": [[3, ["**bold** ü"]]] },
      hparams: { lr: 1e-3, name: "mlp", bias: true, "optim/betas": "[0.9,0.999]" },
      infos: { lr: 3, name: 1, bias: 2, "optim/betas": 1 },
      metrics: ["val_acc"],
      status: 2,
      files: 2,
    });
  });
});
