import assert from "node:assert/strict";
import { atCaller, pointAtCaller } from "../../runtime/core/at_caller.ts";
import { DataLoader } from "../../runtime/data/data_loader.ts";
import { MNIST } from "../../runtime/data/mnist.ts";
import { Fabric } from "../../runtime/fabric/fabric.ts";
import { CSVLogger } from "../../runtime/loggers/csv_logger.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import { seed_everything } from "../../runtime/seed/seed_everything.ts";
import { tf } from "../../runtime/tensor/tf.ts";

/** The place of an error's first frame. */
function firstFrame(error: unknown): string {
  return (error as Error).stack!.split("\n").find((line) => /^ +at /.test(line)) ?? "";
}

async function thrownBy(f: () => unknown): Promise<Error> {
  try {
    await f();
  } catch (error) {
    return error as Error;
  }
  throw new assert.AssertionError({ message: `nothing was thrown by ${f}` });
}

Deno.test("an error of bad input begins at the user's line, for constructors, functions and async methods", async () => {
  await using fabric = new Fabric({ accelerator: "wasm" });
  const wrong: (() => unknown)[] = [
    () => new Fabric({ numNodes: NaN }),
    () => new Fabric({ device: 2 } as object),
    () => fabric.device,
    () => fabric.logger,
    () => seed_everything(NaN),
    () => fabric.seedEverything(-1),
    () => new DataLoader([1, 2], { batchSize: NaN }),
    () => new CSVLogger("logs", { version: NaN }),
    () => new SGD({ learningRate: NaN }),
    async () => await MNIST.load({ root: "/nonexistent" }),
    async () => await new Fabric({ accelerator: "wasm", precision: "bf16-mixed" }).launch(),
    async () => await fabric.load("/nonexistent.safetensors"),
    async () => await fabric.backward(tf.scalar(1)),
    async () => await fabric.setup({} as tf.LayersModel),
  ];
  for (const f of wrong) assert.match(firstFrame(await thrownBy(f)), /at_caller_test\.ts/, String(f));
});

Deno.test("an error inside a function of the user's keeps the line in it", async () => {
  await using fabric = new Fabric({ accelerator: "wasm" });
  const inner = await thrownBy(() =>
    fabric.launch(() => {
      throw new Error("mine");
    })
  );
  assert.match(firstFrame(inner), /at_caller_test\.ts/);
  let line = 0;
  const nested = await thrownBy(() =>
    fabric.launch(() => {
      line = Number(/:(\d+):\d+\)?$/.exec(firstFrame(new Error()))![1]) + 1;
      seed_everything(NaN);
    })
  );
  assert.match(firstFrame(nested), new RegExp(`at_caller_test\\.ts:${line}:`));
});

Deno.test("a mistake of the library itself keeps every frame", () => {
  class Broken {
    run() {
      return (undefined as unknown as { x: { y: number } }).x.y;
    }
  }
  pointAtCaller(Broken);
  assert.throws(() => new Broken().run(), (error: Error) => firstFrame(error).includes("Broken.run"));
  const error = new TypeError("x is not a function");
  const { stack } = error;
  assert.equal(atCaller(error, firstFrame).stack, stack);
  assert.equal(atCaller("a string", firstFrame), "a string");
});

Deno.test("a method keeps its name and the number of its parameters", () => {
  assert.equal(Fabric.prototype.backward.name, "backward");
  assert.equal(Fabric.prototype.setupModule.length, 1);
});
