import assert from "node:assert/strict";
import { CSVLogger, ModelCheckpoint, OnExceptionCheckpoint } from "../../mod.ts";
import { checkInside } from "../../runtime/core/inside.ts";

Deno.test("a name with slashes may make folders, but not lead out of its own", () => {
  for (const name of ["", "a", "a/b", "..a", "a..", "a/...", "{epoch}/x", "version_3"]) checkInside("it", name);
  for (const name of ["..", "../x", "a/../../x", "/etc/x", "C:\\x", "a\\..\\x", "\\\\host\\x", "a\0b"]) {
    assert.throws(() => checkInside("it", name), /`it` is .*leads out of its folder/, name);
  }
});

Deno.test("loggers and checkpoints refuse names that lead out of their folder", () => {
  assert.throws(() => new CSVLogger("logs", { name: "../x" }), RangeError);
  assert.throws(() => new CSVLogger("logs", { version: "../../x" }), RangeError);
  assert.throws(() => new ModelCheckpoint({ filename: "../{epoch}" }), RangeError);
  assert.throws(() => new OnExceptionCheckpoint("checkpoints", { filename: "/tmp/x" }), RangeError);
});
