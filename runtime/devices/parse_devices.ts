import type { DeviceInventory } from "./device_inventory.ts";

/** What `--devices` and `devices:` take: how many, which, or `"auto"` (the same as -1: all that there are). */
export type DevicesSpec = number | string | readonly number[];

/** Options of {@linkcode parseDevices}. */
export interface ParseDevicesOptions {
  /** What there is to choose from, by `countDevices`. */
  inventory: DeviceInventory;
  /** How messages name what the user wrote. Default: `` `devices=` ``. The command line gives `--devices `. */
  prefix?: string;
}

/**
 * The indices of the devices that are meant, one for each rank of this host.
 *
 * A number takes that many, `"auto"` and -1 all, a list (`[0, 2]`, `"0,2"`, and `"2,"` for the one with index 2) those with these indices.
 * The processor and the WebGPU adapter are shared: any number of ranks is accepted, and a list counts the ranks.
 *
 * @throws TypeError if the specification is no such thing, RangeError if it names nothing, a device twice, or one that does not exist
 *
 * @example
 * ```ts
 * const inventory = { accelerator: "cuda", count: 4, shared: false, reason: "" } as const;
 * console.assert(parseDevices(2, { inventory }).join() === "0,1");
 * console.assert(parseDevices("1,3", { inventory }).join() === "1,3");
 * console.assert(parseDevices("auto", { inventory }).length === 4);
 * ```
 */
export function parseDevices(spec: DevicesSpec, options: ParseDevicesOptions): number[] {
  const { inventory, prefix = "devices=" } = options;
  const { accelerator, count, shared } = inventory;
  const given = `\`${prefix}${Array.isArray(spec) ? `[${spec.join(", ")}]` : spec}\``;
  const existing = count === 0
    ? `${accelerator} has none: ${inventory.reason}`
    : `${accelerator} has ${count === 1 ? "1 device: 0" : `${count} devices: ${range(count).join(", ")}`}`;
  const chosen = read(spec, given);
  if (chosen === "all") {
    if (count === 0) throw new RangeError(`${given} takes all devices, but ${existing}`);
    return range(count);
  }
  if (typeof chosen === "number") {
    if (chosen === 0) {
      throw new RangeError(
        `${given} is not a valid value: at least one device is needed. Give a number, a list or auto`,
      );
    }
    if (chosen > count && !shared) throw new RangeError(`${given} asks for ${chosen} devices, but ${existing}`);
    return range(chosen);
  }
  if (chosen.length === 0) {
    throw new RangeError(`${given} names no device: give at least one index, e.g. \`${prefix}0\``);
  }
  const twice = chosen.find((index, position) => chosen.indexOf(index) !== position);
  if (twice !== undefined) throw new RangeError(`${given} names device ${twice} twice: device indices must be unique`);
  if (shared) return chosen;
  const missing = chosen.find((index) => index >= count);
  if (missing !== undefined) throw new RangeError(`${given} names device ${missing}, but ${existing}`);
  return chosen;
}

function read(spec: DevicesSpec, given: string): "all" | number | number[] {
  const problem = new TypeError(
    `${given} is not a valid value: give a number of devices, a list of indices such as 0,1, or auto (or -1) for all`,
  );
  if (spec === "auto" || spec === -1) return "all";
  if (typeof spec === "number") {
    if (Number.isSafeInteger(spec) && spec >= 0) return spec;
    throw problem;
  }
  if (typeof spec !== "string") {
    if (!Array.isArray(spec) || !spec.every((index) => Number.isSafeInteger(index) && index >= 0)) throw problem;
    return [...spec];
  }
  const words = spec.trim();
  if (words === "auto" || words === "-1") return "all";
  if (/^\d+$/.test(words)) return Number(words);
  if (!/^\d+(\s*,\s*\d+)*\s*,?$/.test(words)) throw problem;
  return words.split(",").filter((word) => word.trim() !== "").map(Number);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
