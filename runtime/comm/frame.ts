/**
 * The head of every message between ranks: 64 bytes, little-endian. A frame that does not carry the group's token and
 * generation is dropped: it comes from a stranger or from an earlier life of the run.
 */

/** Bytes of a head. */
export const HEAD_BYTES = 64;
/** The most bytes that one frame carries after its head. */
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** A payload up to this long lies behind its head in one message part; a longer one is a part of its own. */
export const MAX_INLINE_BYTES = 8192;

/** "WEF" and the version of this format. */
const MAGIC = 0x03464557;

/** What a frame is for. */
export const FrameType = { data: 1, report: 2, abort: 3, goodbye: 4, hello: 5 } as const;

/** The collectives, by their number in a frame. */
export const KINDS = [
  "none",
  "allReduce",
  "reduceScatter",
  "allGather",
  "broadcast",
  "broadcastObject",
  "gatherObjects",
  "allGatherObjects",
  "barrier",
  "measureHosts",
  "sharedArray",
] as const;
export type Kind = typeof KINDS[number];

/** What collectives move, by its number in a frame. */
export const DTYPES = ["none", "float32", "float64", "int32", "uint8", "object"] as const;
export type Dtype = typeof DTYPES[number];

/** How collectives reduce, by its number in a frame. */
export const OPS = ["none", "sum", "mean", "min", "max", "product"] as const;
export type Op = typeof OPS[number];

/** What ranks that call the same collective agree on. */
export interface Signature {
  readonly kind: Kind;
  readonly dtype: Dtype;
  readonly op: Op;
  /** Of reductions: where in the shared arrays the data lies, 0 if it does not. */
  readonly root: number;
  /** Elements. Where it may differ between ranks, it is this rank's and not compared. */
  readonly count: number;
  /** What it is for, in words; a head carries a number made of them. Default: nothing in particular. */
  readonly purpose?: string;
}

/** Kinds whose `count` may differ between ranks. */
export const UNEVEN: ReadonlySet<Kind> = new Set(["allGather", "broadcastObject", "gatherObjects", "allGatherObjects"]);

const AT = {
  type: 4,
  kind: 5,
  dtype: 6,
  op: 7,
  generation: 8,
  source: 12,
  token: 16,
  sequence: 24,
  count: 32,
  step: 40,
  root: 44,
  length: 48,
  separate: 52,
  purpose: 54,
  number: 56,
} as const;

/** One head in 64 bytes, read and written in place. */
export class Head {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;

  /** @param buffer at whose start the head lies. Default: a new one */
  constructor(buffer: ArrayBuffer = new ArrayBuffer(HEAD_BYTES)) {
    this.bytes = new Uint8Array(buffer, 0, HEAD_BYTES);
    this.#view = new DataView(buffer, 0, HEAD_BYTES);
  }

  /** Writes what never changes within a group. */
  stamp(source: number, generation: number, token: bigint): this {
    this.#view.setUint32(0, MAGIC, true);
    this.#view.setUint32(AT.source, source, true);
    this.#view.setUint32(AT.generation, generation, true);
    this.#view.setBigUint64(AT.token, token, true);
    return this;
  }

  /** Writes what never changes within a collective. */
  sign(type: number, sequence: number, signature: Signature): this {
    const view = this.#view;
    view.setUint8(AT.type, type);
    view.setUint8(AT.kind, KINDS.indexOf(signature.kind));
    view.setUint8(AT.dtype, DTYPES.indexOf(signature.dtype));
    view.setUint8(AT.op, OPS.indexOf(signature.op));
    view.setFloat64(AT.sequence, sequence, true);
    view.setFloat64(AT.count, signature.count, true);
    view.setUint32(AT.root, signature.root, true);
    view.setUint16(AT.purpose, purposeNumber(signature.purpose), true);
    view.setUint32(AT.step, 0, true);
    return this;
  }

  get isOurs(): boolean {
    return this.#view.getUint32(0, true) === MAGIC;
  }

  /** True if the frame belongs to this group of this generation. */
  belongsTo(generation: number, token: bigint): boolean {
    const view = this.#view;
    return view.getUint32(AT.generation, true) === generation && view.getBigUint64(AT.token, true) === token;
  }

  /** True if both heads were signed for the same collective: by this rank and another. */
  agreesWith(other: Head): boolean {
    const a = this.#view, b = other.#view;
    return a.getUint8(AT.kind) === b.getUint8(AT.kind) && a.getUint8(AT.dtype) === b.getUint8(AT.dtype) &&
      a.getUint8(AT.op) === b.getUint8(AT.op) && a.getUint32(AT.root, true) === b.getUint32(AT.root, true) &&
      a.getUint16(AT.purpose, true) === b.getUint16(AT.purpose, true) &&
      (this.count === other.count || UNEVEN.has(KINDS[a.getUint8(AT.kind)]));
  }

  get type(): number {
    return this.#view.getUint8(AT.type);
  }
  get source(): number {
    return this.#view.getUint32(AT.source, true);
  }
  get sequence(): number {
    return this.#view.getFloat64(AT.sequence, true);
  }
  get count(): number {
    return this.#view.getFloat64(AT.count, true);
  }
  get step(): number {
    return this.#view.getUint32(AT.step, true);
  }
  set step(value: number) {
    this.#view.setUint32(AT.step, value, true);
  }
  /** Counts the frames from its rank to the one that gets it, from 1 on. */
  get number(): number {
    return this.#view.getFloat64(AT.number, true);
  }
  set number(value: number) {
    this.#view.setFloat64(AT.number, value, true);
  }
  /** Bytes of the payload. */
  get length(): number {
    return this.#view.getUint32(AT.length, true);
  }
  set length(value: number) {
    this.#view.setUint32(AT.length, value, true);
  }
  /** True if the payload is a message part of its own. */
  get isSeparate(): boolean {
    return this.#view.getUint16(AT.separate, true) === 1;
  }
  set isSeparate(value: boolean) {
    this.#view.setUint16(AT.separate, value ? 1 : 0, true);
  }
}

/** 16 bits of a purpose's words, by FNV-1a; 0 if there are none. Two purposes with the same number, one pair in 65,535, are not told apart. */
export function purposeNumber(purpose: string | undefined): number {
  if (!purpose) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
  return ((hash >>> 16) ^ (hash & 0xffff)) || 1;
}

/** The collective as its caller wrote it and what it is for, e.g. `allReduce (sum) of 4 float32 for the gradients`. */
export function describe(signature: Signature): string {
  const { kind, dtype, op, root, count, purpose } = signature;
  const how = op !== "none"
    ? ` (${op})`
    : ["broadcast", "broadcastObject", "gatherObjects"].includes(kind)
    ? ` (root ${root})`
    : kind === "sharedArray" && root > 0
    ? " (to gather)"
    : "";
  const where = (op !== "none" || kind === "allGather") && root > 0 ? ` at place ${root} of the shared arrays` : "";
  return `${kind}${how}${dtype === "none" || dtype === "object" ? "" : ` of ${count} ${dtype}`}${where}${
    purpose ? ` for ${purpose}` : ""
  }`;
}
