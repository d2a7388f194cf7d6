import assert from "node:assert/strict";
import { runExample, valueOf } from "./run_example.ts";

// The lists of docs/permissions.md. None of them has --allow-net: MNIST's files come with an npm package.
const COMPUTING = ["--allow-read", "--allow-write", "--allow-env"];
const LAUNCHING = [...COMPUTING, "--allow-ffi", "--allow-run", "--allow-sys=hostname"];
const steps = ["--epochs", "1", "--steps", "30"];

for (
  const [what, permissions, devices] of [
    ["one process on wasm trains with read, write and env", COMPUTING, undefined],
    ["one process trains with FFI too, on whatever auto takes", [...COMPUTING, "--allow-ffi"], undefined],
    ["two ranks train with what the launcher needs", LAUNCHING, 2],
  ] as const
) {
  Deno.test(`${what}, and no other permission`, async () => {
    const lines = await runExample("trainer_mnist.ts", steps, { permissions, devices });
    assert.ok(valueOf(lines, "val_acc") > 0.75, lines.join("\n"));
  });
}

for (const without of ["--allow-sys=hostname", "--allow-ffi"]) {
  Deno.test(`two ranks without ${without} end with an error that names the flag`, async () => {
    const permissions = LAUNCHING.filter((flag) => flag !== without);
    await assert.rejects(
      runExample("trainer_mnist.ts", steps, { permissions, devices: 2 }),
      new RegExp(without.split("=")[0]),
    );
  });
}
