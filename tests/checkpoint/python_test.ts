import assert from "node:assert/strict";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const fixture = (name: string) => new URL(`../fixtures/checkpoint/${name}`, import.meta.url).pathname;

Deno.test("a file that Python's safetensors wrote is read as a flat record of tensors", async () => {
  const read = await readCheckpoint(fixture("python.safetensors"));
  assert.deepEqual(read, {
    f64: { dtype: "float64", shape: [2, 2], data: Float64Array.of(1.5, -0, Infinity, 2 ** -1074) },
    f32: { dtype: "float32", shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5).map((x) => x / 7) },
    f16: { dtype: "float16", shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x7bff) },
    bf16: { dtype: "bfloat16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
    i64: { dtype: "int64", shape: [2], data: BigInt64Array.of(2n ** 62n, -1n) },
    i32: { dtype: "int32", shape: [1], data: Int32Array.of(-(2 ** 31)) },
    i16: { dtype: "int16", shape: [2], data: Int16Array.of(-1, 300) },
    u16: { dtype: "uint16", shape: [1], data: Uint16Array.of(65535) },
    i8: { dtype: "int8", shape: [2], data: Int8Array.of(-128, 127) },
    u8: { dtype: "uint8", shape: [2], data: Uint8Array.of(0, 255) },
    bool: { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
    scalar: { dtype: "float32", shape: [], data: Float32Array.of(7) },
    empty: { dtype: "float32", shape: [0, 3], data: new Float32Array(0) },
    "layers.0.weight": { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) },
  });
});

Deno.test("a type that Python has and we have not is named with the tensor", async () => {
  await assert.rejects(
    readCheckpoint(fixture("uint64.safetensors")),
    /the tensor "u64" is of type "U64"; types that can be/,
  );
});

Deno.test("Python's safetensors opens our file and sees equal values, and we read what it edited", async (t) => {
  const python = Deno.env.get("WEFT_TEST_PYTHON") ?? "python3";
  const run = async (script: string, ...args: string[]) => {
    const output = await new Deno.Command(python, { args: ["-c", script, ...args] }).output().catch(() => undefined);
    return {
      ok: output?.success ?? false,
      text: new TextDecoder().decode(output?.stdout),
      error: new TextDecoder().decode(output?.stderr),
    };
  };
  if (!(await run("import numpy, safetensors.numpy")).ok) {
    console.log(`skipped: ${python} has no numpy and safetensors; name one that has in WEFT_TEST_PYTHON`);
    await t.step({ name: "needs a Python with safetensors", ignore: true, fn() {} });
    return;
  }
  await inTemporaryFolder(async (folder) => {
    const state: StateDict = {
      epoch: 3,
      model: {
        weight: { dtype: "float32", shape: [2, 3], data: Float32Array.of(0.1, -0, NaN, Infinity, 4, 5) },
        steps: { dtype: "int64", shape: [], data: BigInt64Array.of(2n ** 53n + 1n) },
        mask: { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
        "漢\n": { dtype: "int8", shape: [0], data: new Int8Array(0) },
      },
      half: { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
      double: { dtype: "float64", shape: [1], data: Float64Array.of(Math.PI) },
    };
    await writeCheckpoint(`${folder}/ours.ckpt`, state);
    const { ok, text, error } = await run(
      `
import json, sys
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
tensors = load_file(sys.argv[1])
print(json.dumps({k: [str(v.dtype), list(v.shape), v.tobytes().hex()] for k, v in tensors.items()}))
with safe_open(sys.argv[1], "numpy") as f:
    metadata = f.metadata()
tensors["model.weight"] = tensors["model.weight"] * 2
save_file(tensors, sys.argv[1] + ".kept", metadata)
save_file(tensors, sys.argv[1] + ".edited", {**metadata, "weft.sha256": ""})
`,
      `${folder}/ours.ckpt`,
    );
    assert.ok(ok, error);
    const hex = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength).toHex();
    assert.deepEqual(JSON.parse(text), {
      "double": ["float64", [1], hex(Float64Array.of(Math.PI))],
      "model.steps": ["int64", [], hex(BigInt64Array.of(2n ** 53n + 1n))],
      "model.weight": ["float32", [2, 3], hex(Float32Array.of(0.1, -0, NaN, Infinity, 4, 5))],
      "half": ["float16", [2], hex(Uint16Array.of(0x3c00, 0xc000))],
      "model.mask": ["bool", [3], hex(Uint8Array.of(1, 0, 1))],
      "model.漢\n": ["int8", [0], ""],
    });
    await assert.rejects(readCheckpoint(`${folder}/ours.ckpt.kept`), /does not match its digest.*changed on purpose/);
    const edited = await readCheckpoint(`${folder}/ours.ckpt.edited`) as unknown as {
      epoch: number;
      model: { weight: { data: Float32Array } };
    };
    assert.equal(edited.epoch, 3);
    assert.deepEqual(edited.model.weight.data, Float32Array.of(0.1, -0, NaN, Infinity, 4, 5).map((x) => x * 2));
  });
});
