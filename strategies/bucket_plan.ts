/** One variable's place in its bucket. */
export interface BucketSlot {
  /** Index of the variable in the order of the model. */
  readonly variable: number;
  /** First element in the bucket. */
  readonly offset: number;
  /** How many elements. */
  readonly length: number;
}

/** Gradients that travel together. */
export interface Bucket {
  readonly slots: readonly BucketSlot[];
  /** Elements of all slots. */
  readonly length: number;
}

/** Sizes at which a bucket is closed, in bytes of float32 elements. */
export interface BucketSizes {
  /** Default: 25 MiB. */
  capBytes: number;
  /** The first bucket is smaller, so that traffic starts early. Default: 1 MiB. */
  firstCapBytes: number;
}

const BYTES_PER_ELEMENT = 4;

/**
 * Groups variables into buckets, last variables first, because backward reaches the last layers first.
 * A variable larger than the cap gets a bucket of its own; a variable is never split. The sizes are torch DDP's.
 */
export function planBuckets(lengths: readonly number[], sizes: BucketSizes): Bucket[] {
  const buckets: Bucket[] = [];
  let slots: BucketSlot[] = [], length = 0;
  const close = () => {
    if (slots.length > 0) buckets.push({ slots, length });
    [slots, length] = [[], 0];
  };
  for (let variable = lengths.length - 1; variable >= 0; variable--) {
    const cap = buckets.length === 0 ? sizes.firstCapBytes : sizes.capBytes;
    if (length > 0 && (length + lengths[variable]) * BYTES_PER_ELEMENT > cap) close();
    slots.push({ variable, offset: length, length: lengths[variable] });
    length += lengths[variable];
  }
  close();
  return buckets;
}
