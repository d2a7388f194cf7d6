import assert from "node:assert/strict";
import type { DeviceKind } from "../../runtime/devices/accelerator_names.ts";
import { countCudaDevices } from "../../runtime/devices/cuda_devices.ts";
import { countDevices, type DeviceInventory } from "../../runtime/devices/device_inventory.ts";
import { selectDevices } from "../../runtime/devices/select_devices.ts";

function counting(counts: Partial<Record<DeviceKind, number>>) {
  return (accelerator: DeviceKind): Promise<DeviceInventory> =>
    Promise.resolve({
      accelerator,
      count: counts[accelerator] ?? 0,
      shared: accelerator !== "cuda",
      reason: counts[accelerator] ? "" : `${accelerator} is missing`,
    });
}
const LAPTOP = counting({ wasm: 1, cpu: 1 });

Deno.test("auto is one rank on the processor where nothing else is asked for", async () => {
  assert.deepEqual(await selectDevices({ count: LAPTOP }), { accelerator: "cpu", indices: [0] });
});

Deno.test("gpu means cuda, and auto takes all of its devices", async () => {
  const count = counting({ cuda: 2, wasm: 1, cpu: 1 });
  assert.deepEqual(await selectDevices({ accelerator: "gpu", count }), { accelerator: "cuda", indices: [0, 1] });
  assert.deepEqual(await selectDevices({ count }), { accelerator: "cuda", indices: [0, 1] });
  assert.deepEqual(await selectDevices({ accelerator: "CUDA", devices: "1,", count }), {
    accelerator: "cuda",
    indices: [1],
  });
});

Deno.test("an accelerator that is not there is an error that lists what is", async () => {
  await assert.rejects(
    selectDevices({ accelerator: "cuda", devices: 99, optionPrefix: "--", count: LAPTOP }),
    /`--accelerator cuda` cannot be used on this machine: cuda is missing. Available here: wasm, cpu/,
  );
});

Deno.test("a misspelt accelerator is an error that names the one that was meant", async () => {
  await assert.rejects(selectDevices({ accelerator: "wsam", count: LAPTOP }), /accelerator=wsam.*did you mean wasm\?/);
  await assert.rejects(selectDevices({ accelerator: "tpu-v4-pod", count: LAPTOP }), /Available names are: auto, cpu/);
});

Deno.test("an accelerator that nothing can be counted for is no error until it is asked for", async () => {
  await assert.rejects(selectDevices({ count: counting({}) }), /found no accelerator/);
});

Deno.test("counting devices of this machine gives a number or a reason, and never throws", async () => {
  for (const kind of ["cpu", "wasm", "webgpu", "cuda"] as const) {
    const { accelerator, count, reason } = await countDevices(kind);
    assert.equal(accelerator, kind);
    assert.equal(count > 0, reason === "", `${kind}: ${count} devices, reason ${JSON.stringify(reason)}`);
  }
  assert.equal((await countDevices("wasm")).count, 1);
});

Deno.test("a driver that is not installed counts as no device, with the reason", () => {
  const { count, reason } = countCudaDevices(["libnot-there.so.1"]);
  assert.equal(count, 0);
  assert.match(reason, /no CUDA driver is installed \(libnot-there.so.1 was not found\)/);
});

Deno.test("devices are counted without a permission prompt where FFI is not allowed", async () => {
  const module = new URL("../../runtime/devices/cuda_devices.ts", import.meta.url);
  const { stdout, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", "--no-prompt"],
      `data:application/typescript,${
        encodeURIComponent(`import { countCudaDevices } from "${module}"; console.log(countCudaDevices().reason)`)
      }`,
    ],
  }).output();
  assert.equal(code, 0);
  if (Deno.build.os === "linux") assert.match(new TextDecoder().decode(stdout), /only with --allow-ffi/);
});
