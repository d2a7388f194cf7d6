import assert from "node:assert/strict";
import type { DeviceInventory } from "../../runtime/devices/device_inventory.ts";
import { type DevicesSpec, parseDevices } from "../../runtime/devices/parse_devices.ts";

const FOUR_GPUS: DeviceInventory = { accelerator: "cuda", count: 4, shared: false, reason: "" };
const NO_GPU: DeviceInventory = { accelerator: "cuda", count: 0, shared: false, reason: "no CUDA driver is installed" };
const PROCESSOR: DeviceInventory = { accelerator: "wasm", count: 1, shared: true, reason: "" };

const MEANINGS: [DevicesSpec, DeviceInventory, number[]][] = [
  [2, FOUR_GPUS, [0, 1]],
  ["2", FOUR_GPUS, [0, 1]],
  ["auto", FOUR_GPUS, [0, 1, 2, 3]],
  [-1, FOUR_GPUS, [0, 1, 2, 3]],
  ["-1", FOUR_GPUS, [0, 1, 2, 3]],
  [[3, 1], FOUR_GPUS, [3, 1]],
  ["1, 3", FOUR_GPUS, [1, 3]],
  ["2,", FOUR_GPUS, [2]],
  ["auto", PROCESSOR, [0]],
  [-1, PROCESSOR, [0]],
  [3, PROCESSOR, [0, 1, 2]],
  ["0,1", PROCESSOR, [0, 1]],
];
for (const [spec, inventory, indices] of MEANINGS) {
  Deno.test(`devices ${JSON.stringify(spec)} of ${inventory.count} ${inventory.accelerator} are ${indices}`, () => {
    assert.deepEqual(parseDevices(spec, { inventory }), indices);
  });
}

const ERRORS: [DevicesSpec, DeviceInventory, RegExp][] = [
  [0, PROCESSOR, /`--devices 0` is not a valid value: at least one device/],
  ["0", FOUR_GPUS, /`--devices 0` is not a valid value/],
  [[], FOUR_GPUS, /`--devices \[\]` names no device/],
  [-2, FOUR_GPUS, /`--devices -2` is not a valid value/],
  [1.5, FOUR_GPUS, /`--devices 1.5` is not a valid value/],
  [NaN, FOUR_GPUS, /`--devices NaN` is not a valid value/],
  ["two", FOUR_GPUS, /`--devices two` is not a valid value: give a number/],
  ["", FOUR_GPUS, /is not a valid value/],
  ["0,-1", FOUR_GPUS, /is not a valid value/],
  [[0, -1], FOUR_GPUS, /is not a valid value/],
  ["1,1", FOUR_GPUS, /names device 1 twice: device indices must be unique/],
  [[0, 0], PROCESSOR, /names device 0 twice/],
  [99, FOUR_GPUS, /asks for 99 devices, but cuda has 4 devices: 0, 1, 2, 3/],
  ["0,7", FOUR_GPUS, /names device 7, but cuda has 4 devices: 0, 1, 2, 3/],
  [99, NO_GPU, /asks for 99 devices, but cuda has none: no CUDA driver is installed/],
  ["auto", NO_GPU, /takes all devices, but cuda has none: no CUDA driver/],
];
for (const [spec, inventory, message] of ERRORS) {
  Deno.test(`devices ${JSON.stringify(spec)} of ${inventory.count} ${inventory.accelerator} are an error`, () => {
    assert.throws(() => parseDevices(spec, { inventory, prefix: "--devices " }), message);
  });
}
