import assert from "node:assert/strict";
import { furthest, train } from "./train_mlp.ts";

Deno.test("two ranks with batch 50 end with the weights of one with batch 100, after 200 steps of SGD", async () => {
  const one = await train(1, { optimizer: "sgd", batchSize: 100, strategy: "ddp", steps: 200 });
  const two = await train(2, { optimizer: "sgd", batchSize: 50, strategy: "ddp", steps: 200 });
  assert.ok(two.same, "the ranks differ");
  assert.ok(one.losses[199] < one.losses[0] / 2, "it learned nothing");
  assert.ok(furthest(one.weights, two.weights) < 1e-5, `weights differ by ${furthest(one.weights, two.weights)}`);
});

Deno.test("strategy dp splits the batch: two ranks with batch 100 lose under Adam as one does", async () => {
  const one = await train(1, { optimizer: "adam", batchSize: 100, strategy: "dp", steps: 100 });
  const two = await train(2, { optimizer: "adam", batchSize: 100, strategy: "dp", steps: 100 });
  assert.ok(two.same, "the ranks differ");
  assert.ok(furthest(one.losses, two.losses) < 1e-3, `losses differ by ${furthest(one.losses, two.losses)}`);
});

Deno.test("three ranks with an odd share end with the same bytes on every rank", async () => {
  const three = await train(3, { optimizer: "sgd", batchSize: 7, strategy: "ddp", steps: 20 });
  assert.ok(three.same, "the ranks differ");
  assert.equal(three.losses.length, 20);
});
