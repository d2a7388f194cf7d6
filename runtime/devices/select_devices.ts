import { closest } from "../core/suggest.ts";
import { ACCELERATOR_NAMES, type DeviceKind, type GivenAccelerator } from "./accelerator_names.ts";
import { countDevices, type DeviceInventory } from "./device_inventory.ts";
import { type DevicesSpec, parseDevices } from "./parse_devices.ts";

/** Options of {@linkcode selectDevices}. */
export interface SelectDevicesOptions {
  /** Default: `"auto"`. */
  accelerator?: string;
  /** Default: `"auto"`, all devices of the accelerator. */
  devices?: DevicesSpec;
  /** How messages name what the user wrote: `--` on the command line. Default: the empty string, for `devices=2` in code. */
  optionPrefix?: "--" | "";
  /** Counts devices, for tests. Default: `countDevices`. */
  count?: (accelerator: DeviceKind) => Promise<DeviceInventory>;
}

/** Which devices the ranks of this host run on, one each. */
export interface DeviceSelection {
  readonly accelerator: DeviceKind;
  /** Index of each rank's device, by local rank. Their number is the number of ranks. */
  readonly indices: readonly number[];
}

/** What `auto` tries, in this order. Ranks on the processor find out themselves whether TensorFlow or wasm computes there. */
const AUTO: readonly DeviceKind[] = ["cuda", "cpu"];

/**
 * Resolves an accelerator and its devices as the user wrote them, counting what this host has.
 *
 * @throws TypeError naming the accelerator that was probably meant, Error listing what is available if there is none of that kind, and
 * what `parseDevices` throws
 */
export async function selectDevices(options: SelectDevicesOptions = {}): Promise<DeviceSelection> {
  const { accelerator = "auto", devices = "auto", optionPrefix = "", count = countDevices } = options;
  const [before, between] = optionPrefix === "--" ? ["--accelerator ", "--devices "] : ["accelerator=", "devices="];
  const inventory = await resolve(accelerator, before, count);
  return { accelerator: inventory.accelerator, indices: parseDevices(devices, { inventory, prefix: between }) };
}

async function resolve(
  given: string,
  prefix: string,
  count: (accelerator: DeviceKind) => Promise<DeviceInventory>,
): Promise<DeviceInventory> {
  const name = given.toLowerCase() as GivenAccelerator;
  if (!ACCELERATOR_NAMES.includes(name)) {
    const meant = closest(given, ACCELERATOR_NAMES);
    throw new TypeError(
      `\`${prefix}${given}\` is no accelerator${meant ? `; did you mean ${meant}?` : "."} ` +
        `Available names are: ${ACCELERATOR_NAMES.join(", ")}`,
    );
  }
  if (name !== "auto") {
    const inventory = await count(name === "gpu" ? "cuda" : name);
    if (inventory.count > 0) return inventory;
    const others = (["cuda", "webgpu", "wasm", "cpu"] as const).filter((other) => other !== inventory.accelerator);
    const available = [];
    for (const other of others) if ((await count(other)).count > 0) available.push(other);
    throw new Error(
      `\`${prefix}${given}\` cannot be used on this machine: ${inventory.reason}. Available here: ${
        available.join(", ")
      }`,
    );
  }
  for (const kind of AUTO) {
    const inventory = await count(kind);
    if (inventory.count > 0) return inventory;
  }
  throw new Error(`\`${prefix}auto\` found no accelerator that works here`);
}
