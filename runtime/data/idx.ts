import { gunzipSync } from "node:zlib";
import type { HostTensor } from "../tensor/host_tensor.ts";
import { sizeOf } from "./host_values.ts";

/** Options of {@linkcode parseIdx}. */
export interface ParseIdxOptions {
  /** How the file is called in errors. Default: "the idx file". */
  name?: string;
  /** How many dimensions it must have. Default: any. */
  dimensions?: number;
}

/**
 * The tensor in an idx file of bytes, the format of MNIST: two zeros, type 8, the number of dimensions, their sizes (big-endian), values.
 * Gzip is undone first. The bytes are referred to, not copied.
 *
 * @throws {Error} naming the file, what was expected and what was found, if it is damaged or cut short
 */
export function parseIdx(bytes: Uint8Array, options: ParseIdxOptions = {}): HostTensor {
  const name = options.name ?? "the idx file";
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes);
    } catch (cause) {
      throw new Error(`${name} is gzipped but damaged or cut short: ${(cause as Error).message}`, { cause });
    }
  }
  const hex = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const wanted = `00 00 08 ${
    options.dimensions === undefined ? "and a number of dimensions" : `0${options.dimensions}`
  }`;
  if (bytes.length < 4) {
    throw new Error(`${name} is no idx file: expected it to begin with ${wanted}, but it has ${bytes.length} bytes`);
  }
  const dimensions = bytes[3];
  if (
    bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8 || dimensions === 0 ||
    dimensions !== (options.dimensions ?? dimensions)
  ) {
    throw new Error(
      `${name} is not the idx file that is needed: expected it to begin with ${wanted}, but found ${hex || "nothing"}`,
    );
  }
  const header = 4 + 4 * dimensions;
  if (bytes.length < header) {
    throw new Error(`${name} is cut short: expected a header of ${header} bytes, but found ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  const expected = header + sizeOf(shape);
  if (bytes.length !== expected) {
    throw new Error(
      `${name} is ${
        bytes.length < expected ? "cut short" : "too long"
      }: expected ${expected} bytes for [${shape}], but found ${bytes.length}`,
    );
  }
  return { dtype: "uint8", shape, data: bytes.subarray(header) };
}
