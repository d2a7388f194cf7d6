/** A 16-bit format of floating-point numbers: IEEE 754's half (10 bits of fraction, up to 65,504), or the upper half of a float32. */
export type HalfFormat = "fp16" | "bf16";

/**
 * Float32 values rounded to 16 bits each, to nearest, ties to even. What is too large becomes infinite, NaN stays NaN.
 *
 * @param target where the bits go. Default: a new array
 * @throws RangeError if `target` has another length
 *
 * @example
 * ```ts
 * const bits = toHalfFloats(new Float32Array([1, -2]), "bf16");
 * console.assert(bits[0] === 0x3f80 && bits[1] === 0xc000);
 * ```
 */
export function toHalfFloats(
  values: Float32Array<ArrayBuffer>,
  format: HalfFormat,
  target: Uint16Array<ArrayBuffer> = new Uint16Array(values.length),
): Uint16Array<ArrayBuffer> {
  checkLength(values.length, target.length);
  if (format === "fp16") {
    new Float16Array(target.buffer, target.byteOffset, target.length).set(values);
    return target;
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    // Rounding would carry a NaN with a full fraction over into -0.
    target[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return target;
}

/**
 * The float32 values of 16-bit numbers, exactly.
 *
 * @param target where the values go. Default: a new array
 * @throws RangeError if `target` has another length
 *
 * @example
 * ```ts
 * console.assert(fromHalfFloats(new Uint16Array([0x3c00]), "fp16")[0] === 1);
 * ```
 */
export function fromHalfFloats(
  bits: Uint16Array<ArrayBuffer>,
  format: HalfFormat,
  target: Float32Array<ArrayBuffer> = new Float32Array(bits.length),
): Float32Array<ArrayBuffer> {
  checkLength(bits.length, target.length);
  if (format === "fp16") {
    const values = float16Values();
    for (let i = 0; i < bits.length; i++) target[i] = values[bits[i]];
  } else {
    const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
    for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  }
  return target;
}

let table: Float32Array | undefined;

/** Every float16, by its bits: looking one up takes half as long as converting it. */
function float16Values(): Float32Array {
  return table ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer));
}

function checkLength(values: number, target: number): void {
  if (values !== target) throw new RangeError(`${values} numbers do not fit a target of ${target}: give one as long`);
}
