import { dtypeInfo, elementCount, safetensorsDtypeInfo, safetensorsDtypes } from "./dtypes.ts";
import type { HostDtype } from "../tensor/host_tensor.ts";
import type { NamedTensor } from "./tree.ts";

/**
 * A file is, as in https://github.com/huggingface/safetensors: eight bytes (little-endian) with the length of the header,
 * the header as JSON, then the tensors' bytes without gaps. Ours has two strings in the header's `__metadata__`:
 * `weft`, the structure of the state as JSON, and `weft.sha256`, a digest of the whole file computed with zeros in its place.
 */

/** The format that is written, and the newest that is read. */
export const FORMAT = 1;
/** Names the writer, so that an older reader can say what to update to. */
export const WRITER = "Weft 0.1";
/** Metadata key of the structure. */
export const STRUCTURE_KEY = "weft";
/** Metadata key of the digest. */
export const DIGEST_KEY = "weft.sha256";
/** What the digest's place holds while the digest is computed. */
export const NO_DIGEST = "0".repeat(64);
/** The bound of the safetensors format itself. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Where a tensor lies in a file and what it is. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: HostDtype;
  readonly shape: readonly number[];
  /** Where its bytes begin, counted from the end of the header. */
  readonly begin: number;
  readonly byteLength: number;
}

/** What a header says. */
export interface Header {
  /** In the order of their bytes in the file. */
  readonly tensors: readonly TensorInfo[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Lays out a file: the header's bytes with an empty digest, where the digest goes, and the tensors in the file's order
 * (largest elements first, so that every tensor is aligned to its element).
 * @throws RangeError if the header grows beyond what the format allows
 */
export function layOut(structure: unknown, tensors: readonly NamedTensor[]): {
  header: Uint8Array<ArrayBuffer>;
  digestAt: number;
  ordered: NamedTensor[];
} {
  const size = ({ tensor }: NamedTensor) => dtypeInfo(tensor.dtype)!.array.BYTES_PER_ELEMENT;
  const ordered = tensors.toSorted((a, b) => size(b) - size(a) || (a.name < b.name ? -1 : 1));
  const metadata = {
    [DIGEST_KEY]: NO_DIGEST,
    [STRUCTURE_KEY]: JSON.stringify({ format: FORMAT, writer: WRITER, tree: structure }),
  };
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  let begin = 0;
  for (const { name, tensor } of ordered) {
    const end = begin + tensor.data.byteLength;
    const dtype = dtypeInfo(tensor.dtype)!.safetensors;
    entries.push([name, { dtype, shape: tensor.shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  // fromEntries would move names that look like whole numbers to the front, before the digest: the order is written out.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES) {
    throw new RangeError(
      `The state that is not tensors takes ${padded} bytes, more than the ${MAX_HEADER_BYTES} that a checkpoint's header ` +
        `may have: save large arrays as host tensors`,
    );
  }
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(text, 8);
  const digestAt = 8 + json.indexOf(NO_DIGEST);
  return { header, digestAt, ordered };
}

/**
 * Reads a header's JSON and holds it against the number of bytes that follow it.
 * @throws Error with what is wrong, worded to follow "… is not a valid checkpoint: "
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): Header {
  if (bytes[0] !== 0x7b) throw new Error("its header does not begin with `{`");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error("its header is not UTF-8", { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error("its header is not JSON", { cause });
  }
  const { __metadata__: metadata, ...entries } = json as Record<string, unknown>;
  const tensors = Object.entries(entries).map(([name, entry]) => parseTensor(name, entry));
  const checkedMetadata = parseMetadata(metadata);
  const repeated = firstRepeatedKey(text);
  if (repeated !== undefined) throw new Error(`its header has the name ${JSON.stringify(repeated)} twice`);
  for (const name of [...Object.keys(entries), ...[...checkedMetadata].flat()]) {
    if (!name.isWellFormed()) throw new Error(`its header has a text with half a character, ${JSON.stringify(name)}`);
  }
  tensors.sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
  let end = 0;
  for (const tensor of tensors) {
    const name = JSON.stringify(tensor.name);
    if (tensor.begin < end) throw new Error(`the tensor ${name} overlaps the one before it`);
    if (tensor.begin > end) throw new Error(`there is a gap of ${tensor.begin - end} bytes before the tensor ${name}`);
    end += tensor.byteLength;
  }
  if (end > dataBytes) {
    throw new Error(`it was cut short: its tensors take ${end} bytes, but it has ${dataBytes} after the header`);
  }
  if (end < dataBytes) throw new Error(`it has ${dataBytes - end} bytes after its last tensor`);
  return { tensors, metadata: checkedMetadata };
}

function parseTensor(name: string, entry: unknown): TensorInfo {
  const at = `the tensor ${JSON.stringify(name)}`;
  if (typeof entry !== "object" || entry === null) throw new Error(`${at} has no description`);
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const info = typeof dtype === "string" ? safetensorsDtypeInfo(dtype) : undefined;
  if (!info) {
    throw new Error(
      `${at} is of type ${JSON.stringify(dtype)}; types that can be read: ${safetensorsDtypes().join(", ")}`,
    );
  }
  const count = Array.isArray(shape) ? elementCount(shape) : undefined;
  if (count === undefined) throw new Error(`${at} has the impossible shape ${JSON.stringify(shape)}`);
  if (
    !Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((o) => Number.isSafeInteger(o) && o >= 0) ||
    offsets[0] > offsets[1]
  ) throw new Error(`${at} has the impossible offsets ${JSON.stringify(offsets)}`);
  const byteLength = offsets[1] - offsets[0];
  const needed = count * info.array.BYTES_PER_ELEMENT;
  if (byteLength !== needed) {
    throw new Error(
      `${at} of shape ${JSON.stringify(shape)} and type ${dtype} takes ${needed} bytes, not ${byteLength}`,
    );
  }
  return { name, dtype: info.dtype, shape: shape as number[], begin: offsets[0], byteLength };
}

function parseMetadata(metadata: unknown): Map<string, string> {
  if (metadata === undefined || metadata === null) return new Map();
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw new Error("its `__metadata__` is no object");
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") {
      throw new Error(`its \`__metadata__\` has ${JSON.stringify(key)}, which is no string`);
    }
  }
  return new Map(Object.entries(metadata));
}

/** The first key that an object of valid JSON has twice: JSON.parse would silently keep the last. */
function firstRepeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === "{" || character === "[") open.push(new Set());
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
      if (!isKey(json, i + 1)) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      const seen = open.at(-1)!;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

/** Whether a text of JSON that ends before this place is a key, not a value: a colon follows. */
function isKey(json: string, at: number): boolean {
  while (" \t\n\r".includes(json[at])) at++;
  return json[at] === ":";
}
