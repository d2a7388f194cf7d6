import { type ProcessGroup, segmentOf } from "../runtime/comm/process_group.ts";
import { fromHalfFloats, type HalfFormat, toHalfFloats } from "../runtime/precision/half_floats.ts";

/** How many values go at a time, so that a variable of any size fits into messages. */
const CHUNK = 2 ** 24;

/** How many values are converted at a time, so that what lies between stays in the processor's cache. */
const BLOCK = 4096;
const scratch = new Float32Array(BLOCK);

/** Options of {@linkcode compressedMean}. */
export interface CompressedMeanOptions {
  format: HalfFormat;
  /** How many of the last values travel as they are. Default: 0. */
  exact?: number;
  /** From how many bytes of 16-bit numbers on three ranks and more share the summing. Default: 64 KiB. */
  segmentsFromBytes?: number;
  /** What it is for, in words. Default: nothing in particular. */
  purpose?: string;
}

/**
 * Replaces `data` by its mean over the ranks, with the values travelling as 16-bit numbers and summed as float32; afterwards every
 * rank holds the same bytes. All ranks call it together, with arrays of one length.
 *
 * Two ranks, and short arrays of more, send each other everything and sum it themselves: one turn, 2 (W - 1) n bytes received by a
 * rank, each value rounded once. Longer ones on W ranks, W > 2: each rank gets its share of the array from all others, sums it,
 * rounds the mean and gives it to all: W + 1 turns, 4 n (W - 1) / W bytes, half of what float32 takes.
 *
 * Values of fp16 travel multiplied by a power of two that brings the largest of them just below the format's limit: none
 * overflows, and what is lost lies 2^39 below the largest.
 */
export async function compressedMean(
  group: ProcessGroup,
  data: Float32Array<ArrayBuffer>,
  options: CompressedMeanOptions,
): Promise<void> {
  const { exact = 0 } = options;
  if (group.worldSize === 1) return;
  const end = data.length - exact;
  let start = 0;
  for (; end - start > CHUNK; start += CHUNK) {
    await meanOf(group, { values: data.subarray(start, start + CHUNK), tail: data.subarray(0, 0) }, options);
  }
  await meanOf(group, { values: data.subarray(start, end), tail: data.subarray(end) }, options);
}

async function meanOf(
  group: ProcessGroup,
  parts: { values: Float32Array<ArrayBuffer>; tail: Float32Array<ArrayBuffer> },
  options: CompressedMeanOptions,
): Promise<void> {
  const { values, tail } = parts, exact = tail.length;
  const { format, segmentsFromBytes = 64 * 1024, purpose } = options;
  const { worldSize, rank } = group;
  if (worldSize <= 2 || values.length * 2 < segmentsFromBytes) {
    const messages = await group.allGather(pack(values, tail, format), { purpose });
    values.fill(0);
    for (const message of messages) addTo(values, message, { exact, format });
    divide(values, worldSize);
    return meanOfTails(tail, messages);
  }
  const segment = (owner: number) => {
    const { start, end } = segmentOf(values.length, owner, worldSize);
    return values.subarray(start, end);
  };
  const none = tail.subarray(0, 0);
  const gathers: Promise<Uint8Array<ArrayBuffer>[] | undefined>[] = [];
  for (let root = 0; root < worldSize; root++) {
    gathers.push(group.gatherObjects(pack(segment(root), none, format), { root, purpose }));
  }
  const contributions = (await Promise.all(gathers))[rank]!;
  const mine = segment(rank).fill(0);
  for (const message of contributions) addTo(mine, message, { exact: 0, format });
  divide(mine, worldSize);
  const results = await group.allGather(pack(mine, tail, format), { purpose });
  for (const [owner, message] of results.entries()) {
    addTo(segment(owner).fill(0), message, { exact, format });
  }
  meanOfTails(tail, results);
}

/** A message: what its values were multiplied by, the exact values, both float32, then the values in 16 bits each. */
function pack(values: Float32Array<ArrayBuffer>, exact: Float32Array, format: HalfFormat): Uint8Array<ArrayBuffer> {
  const head = 4 + 4 * exact.length;
  const message = new Uint8Array(head + 2 * values.length);
  const floats = new Float32Array(message.buffer, 0, 1 + exact.length);
  const factor = format === "fp16" ? scaleFor(values) : 1;
  floats[0] = factor;
  floats.set(exact, 1);
  const bits = new Uint16Array(message.buffer, head);
  if (factor === 1) toHalfFloats(values, format, bits);
  else {
    for (let start = 0; start < values.length; start += BLOCK) {
      const block = values.subarray(start, start + BLOCK), scaled = scratch.subarray(0, block.length);
      for (let i = 0; i < scaled.length; i++) scaled[i] = block[i] * factor;
      toHalfFloats(scaled, format, bits.subarray(start, start + BLOCK));
    }
  }
  return message;
}

function addTo(sum: Float32Array, message: Uint8Array, options: { exact: number; format: HalfFormat }): void {
  const { exact, format } = options;
  // What went through the object codec does not begin at an even address.
  const { buffer } = message.byteOffset === 0 && message.buffer instanceof ArrayBuffer
    ? message as Uint8Array<ArrayBuffer>
    : message.slice();
  const bits = new Uint16Array(buffer, 4 + 4 * exact, sum.length);
  const factor = 1 / new Float32Array(buffer, 0, 1)[0];
  for (let start = 0; start < sum.length; start += BLOCK) {
    const block = sum.subarray(start, start + BLOCK), values = scratch.subarray(0, block.length);
    fromHalfFloats(bits.subarray(start, start + BLOCK), format, values);
    for (let i = 0; i < block.length; i++) block[i] += values[i] * factor;
  }
}

function meanOfTails(tail: Float32Array, messages: readonly Uint8Array[]): void {
  tail.fill(0);
  for (const message of messages) {
    const theirs = new Float32Array(message.slice(4, 4 + 4 * tail.length).buffer);
    for (let i = 0; i < tail.length; i++) tail[i] += theirs[i];
  }
  divide(tail, messages.length);
}

function divide(values: Float32Array, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] /= by;
}

/** The power of two that brings the largest absolute value into [2^14, 2^15); 1 if that is zero or not finite. */
function scaleFor(values: Float32Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let largest = 0;
  // Without their signs, floats are ordered as their bits are.
  for (let i = 0; i < words.length; i++) {
    const word = words[i] & 0x7fffffff;
    if (word > largest) largest = word;
  }
  if (largest === 0 || largest >= 0x7f800000) return 1;
  const exponent = Math.max(1, largest >>> 23) - 127;
  // Both the factor and its inverse have to be float32 numbers.
  return 2 ** Math.min(126, 14 - exponent);
}
