import assert from "node:assert/strict";
import { shortStack } from "../../runtime/core/user_place.ts";

const library = (line: number) => `    at f (${new URL(`../../runtime/nn/module.ts:${line}:1`, import.meta.url)})`;
const npm = (line: number) => `    at g (file:///home/me/.cache/deno/npm/host/package/dist/index.js:${line}:1)`;
const user = (line: number) => `    at h (file:///home/me/train.ts:${line}:1)`;

Deno.test("a short stack has where it was thrown and the user's lines, and counts the calls between", () => {
  const stack = ["Error: two", "lines", npm(1), npm(2), library(3), user(4), library(5), user(6), npm(7), npm(8)];
  assert.deepEqual(shortStack(stack.join("\n")).split("\n"), [
    ...["Error: two", "lines", npm(1), "    … 2 calls within libraries", user(4), library(5), user(6)],
    "    … 2 calls within libraries",
  ]);
});

Deno.test("a stack without a line of the user's stays whole", () => {
  const stack = ["TypeError: x is undefined", npm(1), library(2), library(3), npm(4)].join("\n");
  assert.equal(shortStack(stack), stack);
});
