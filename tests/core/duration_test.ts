import assert from "node:assert/strict";
import { clockSeconds, milliseconds } from "../../runtime/core/duration.ts";

Deno.test("a time has minutes and seconds, and hours and days if they are given", () => {
  const times = { "0:02": 2, "01:30": 90, "1:00:00": 3_600, "100:00:00": 360_000, "01:02:03:04": 93_784 };
  for (const [text, seconds] of Object.entries(times)) assert.equal(clockSeconds(text), seconds, text);
  for (const text of ["", "90", "1:", ":30", "1:2:3:4:5", "1:100", "-1:00", "1.5:00", " 1:00", "1h"]) {
    assert.equal(clockSeconds(text), undefined, text);
  }
});

Deno.test("milliseconds of what is not given are not given", () => {
  assert.deepEqual([milliseconds(1.5), milliseconds(0), milliseconds(undefined)], [1500, 0, undefined]);
});
