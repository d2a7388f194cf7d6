import { PbfReader } from "npm:pbf@5.1.2";
import { maskedCrc32c } from "../../runtime/loggers/tfrecord.ts";

/** One scalar of an event file. */
export interface Scalar {
  step: number;
  tag: string;
  value: number;
}

/** The scalars of an event file in order, every checksum checked. */
export function scalarsOf(file: Uint8Array): Scalar[] {
  const scalars: Scalar[] = [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = file.subarray(at + 12, at + 12 + length);
    if (view.getUint32(at + 8, true) !== maskedCrc32c(file.subarray(at, at + 8))) throw new Error("length's checksum");
    if (view.getUint32(at + 12 + length, true) !== maskedCrc32c(data)) throw new Error("data's checksum");
    new PbfReader(data).readFields((field, event, pbf) => {
      if (field === 2) event.step = pbf.readVarint(true);
      if (field !== 5) return;
      pbf.readMessage((_, __, summary) => {
        const scalar: Scalar = { step: event.step, tag: "", value: NaN };
        let isScalar = false;
        summary.readMessage((field, _, value) => {
          if (field === 1) scalar.tag = value.readString();
          if (field === 2) [scalar.value, isScalar] = [value.readFloat(), true];
        }, undefined);
        if (isScalar) scalars.push(scalar);
      }, undefined);
    }, { step: 0 });
    at += 16 + length;
  }
  return scalars;
}
