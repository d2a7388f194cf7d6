import assert from "node:assert/strict";
import { usesParameter } from "../../../runtime/trainer/optimization/uses_parameter.ts";

Deno.test("a parameter that the body does not mention is not used", () => {
  class Model {
    one([x, y]: number[]) {
      return x + y;
    }
    unused({ x }: { x: number }, _index: number) {
      return x;
    }
    async used(x: number, index: number) {
      return await Promise.resolve(x + index);
    }
    rest(x: number, ...others: number[]) {
      return x + others.length;
    }
    byDefault(x: number, index = 3) {
      return x + index;
    }
    all() {
      return arguments[1];
    }
    arrow = (x: number, index: number) => x * index;
    lone = (x: number) => x;
  }
  const model = new Model();
  const used = Object.entries({
    one: model.one,
    unused: model.unused,
    used: model.used,
    rest: model.rest,
    byDefault: model.byDefault,
    all: model.all,
    arrow: model.arrow,
    lone: model.lone,
  }).filter(([, f]) => usesParameter(f as (...args: never[]) => unknown, 1)).map(([name]) => name);
  assert.deepEqual(used, ["used", "rest", "byDefault", "all", "arrow"]);
});
