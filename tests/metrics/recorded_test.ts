import assert from "node:assert/strict";
import * as metrics from "../../runtime/metrics/metrics.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import recorded from "../fixtures/metrics/recorded_metrics.json" with { type: "json" };

await tf.setBackend("cpu");

interface Recorded {
  shape: number[];
  dtype: string;
  data: number[];
}
type Any = metrics.Metric<unknown> & { update(preds: tf.Tensor, target: tf.Tensor): void };
const inputs = recorded.inputs as unknown as Record<string, { preds: Recorded; target: Recorded }>;

function rows({ shape, dtype, data }: Recorded, from: number, to: number): tf.Tensor {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return tf.tensor(data.slice(from * size, to * size), [to - from, ...shape.slice(1)], dtype as "float32");
}

function make(name: string, options: object): Any {
  return new (metrics as unknown as Record<string, new (options: object) => Any>)[name](options);
}

function update(metric: Any, input: string, from: number, to: number) {
  tf.tidy(() => metric.update(rows(inputs[input].preds, from, to), rows(inputs[input].target, from, to)));
}

/** Equal within float32 rounding, which torchmetrics computes in. */
function assertClose(actual: unknown, expected: unknown, what: string) {
  if (Array.isArray(expected)) {
    assert.equal((actual as unknown[]).length, expected.length, what);
    expected.forEach((e, i) => assertClose((actual as unknown[])[i], e, what));
  } else if (expected === "NaN") assert.ok(Number.isNaN(actual), `${what}: ${actual} instead of NaN`);
  else {
    const bound = 2e-6 * Math.max(1, Math.abs(expected as number));
    assert.ok(
      Math.abs((actual as number) - (expected as number)) <= bound,
      `${what}: ${actual} instead of ${expected}`,
    );
  }
}

for (const name of new Set(recorded.cases.map((c) => c.metric))) {
  const cases = recorded.cases.filter((c) => c.metric === name);
  Deno.test(`${name} gives torchmetrics' and scikit-learn's numbers, on one, two and three ranks (${cases.length} cases)`, async () => {
    const before = tf.memory().numTensors;
    for (const { input, options, expected } of cases) {
      const what = `${name} ${JSON.stringify(options)} of ${input}`;
      const count = inputs[input].preds.shape[0];
      const values: unknown[] = [];
      for (const bounds of [[0, count], [0, 20, count], [0, 7, 30, count]]) {
        // Each rank takes its part in two updates; the second rank's first value is asked for in between.
        const states: metrics.MetricState[] = [];
        for (let rank = 0; rank + 1 < bounds.length; rank++) {
          const metric = make(name, options);
          const [from, to] = [bounds[rank], bounds[rank + 1]];
          update(metric, input, from, from + 3);
          if (rank === 1) await metric.state();
          update(metric, input, from + 3, to);
          states.push(structuredClone(await metric.state()));
          metric.reset();
        }
        values.push(make(name, options).fromStates(states));
      }
      assertClose(values[0], expected, what);
      // Counts and rankings are exact; sums of floats differ by the rounding of each batch's sum.
      for (const value of values.slice(1)) {
        if (/Error|R2|Perplexity/.test(name)) assertClose(value, values[0], what);
        else assert.deepEqual(value, values[0], what);
      }
    }
    assert.equal(tf.memory().numTensors, before);
  });
}
