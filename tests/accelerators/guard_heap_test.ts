import assert from "node:assert/strict";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import type { WasmBackend } from "../../runtime/accelerators/wasm_backend.ts";
import { tf } from "../../runtime/tensor/tf.ts";

Deno.test("a tensor that does not fit into the heap is an error, and smaller ones still work", async () => {
  await wasm.load({});
  const backend = tf.backend() as unknown as WasmBackend;
  assert.throws(() => backend.makeOutput([2 ** 30], "float32"), /wasm is out of memory: 4096\.0 MiB more do not fit/);
  // 2.5 GiB twice: never written to, so the system need not have them.
  const first = backend.makeOutput([0.625 * 2 ** 30], "float32");
  assert.throws(() => backend.makeOutput([0.625 * 2 ** 30], "float32"), (error: Error) => {
    assert(error instanceof RangeError);
    assert.match(error.message, /2560\.0 MiB more do not fit into its heap of .* cannot grow beyond 4096 MiB/);
    return true;
  });
  assert.throws(
    () => backend.makeOutput([0.625 * 2 ** 30], "float32"),
    RangeError,
    "the second refusal is as safe as the first",
  );
  backend.disposeData(first.dataId);
  const small = tf.ones([3]);
  assert.deepEqual([...small.dataSync()], [1, 1, 1]);
  small.dispose();
});
