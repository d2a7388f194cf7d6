import assert from "node:assert/strict";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import type { Precision } from "../../runtime/precision/precision.ts";
import { PRECISIONS, resolvePrecision } from "../../runtime/precision/resolve_precision.ts";

function resolve(
  input: number | string | undefined,
  options: { accelerator?: string; supported?: readonly Precision[] } = {},
) {
  const lines: string[] = [];
  forgetWarnings();
  using _route = routeMessages((line) => lines.push(line));
  const precision = resolvePrecision(input, { accelerator: "cuda", supported: PRECISIONS, ...options });
  return { precision, lines };
}

Deno.test("nothing means 32-true, full names mean themselves, 32 and 64 are short forms", () => {
  assert.deepEqual(resolve(undefined), { precision: "32-true", lines: [] });
  for (const precision of PRECISIONS) assert.deepEqual(resolve(precision), { precision, lines: [] });
  for (const [input, precision] of [[32, "32-true"], ["32", "32-true"], [64, "64-true"], ["64", "64-true"]] as const) {
    assert.deepEqual(resolve(input), { precision, lines: [] });
  }
});

Deno.test("16 and bf16 become mixed, with Lightning's warning", () => {
  for (const [input, precision] of [[16, "16-mixed"], ["16", "16-mixed"], ["bf16", "bf16-mixed"]] as const) {
    const result = resolve(input);
    assert.equal(result.precision, precision);
    assert.equal(result.lines.length, 1);
    assert(result.lines[0].includes(
      `\`precision: ${JSON.stringify(input)}\` is supported for historical reasons but its usage is discouraged. ` +
        `Please set your precision to "${precision}" instead!`,
    ));
  }
});

Deno.test("16-mixed on cpu becomes bf16-mixed, with a warning, where cpu can do that", () => {
  const { precision, lines } = resolve("16-mixed", { accelerator: "cpu", supported: ["32-true", "bf16-mixed"] });
  assert.equal(precision, "bf16-mixed");
  assert.match(
    lines[0],
    /Fabric\(\{ accelerator: "cpu", precision: "16-mixed" \}\).*Using `precision: "bf16-mixed"` instead/,
  );
});

Deno.test("a precision that the accelerator cannot do is an error that says which it can", () => {
  for (const accelerator of ["wasm", "cpu"]) {
    for (const input of [16, "16-mixed", "bf16", "64-true", 64]) {
      assert.throws(() => resolve(input, { accelerator, supported: ["32-true"] }), (error: Error) => {
        assert(error instanceof RangeError);
        assert(error.message.includes(`\`precision: ${JSON.stringify(input)}\``), error.message);
        assert(error.message.includes(`\`accelerator: "${accelerator}"\`, which computes in 32-true.`), error.message);
        assert.match(error.message, /TensorFlow.*deno task setup|`deno task setup`/);
        return true;
      });
    }
  }
});

Deno.test("what is no precision is an error that lists them", () => {
  for (const input of ["x", "fp16", 8, NaN, "", "constructor"]) {
    assert.throws(() => resolve(input), (error: Error) => {
      assert(error instanceof RangeError);
      assert.match(error.message, /is invalid\. .*Allowed precision values: 64-true, 32-true, 16-true/);
      return true;
    });
  }
  assert.throws(() => resolve("16-mixd"), /Did you mean "16-mixed"\?/);
});
