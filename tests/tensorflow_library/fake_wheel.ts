import { crc32 } from "node:zlib";

/** Options of {@linkcode fakeWheel}. */
export interface FakeWheelOptions {
  /** Whether the checksum of the first file is wrong. Default: false. */
  damaged?: boolean;
}

/** A zip file with these files, stored as they are: what a wheel is. */
export function fakeWheel(files: Record<string, string>, options: FakeWheelOptions = {}): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder(), parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let offset = 0, damaged = options.damaged ?? false;
  for (const [path, text] of Object.entries(files)) {
    const name = encoder.encode(path), content = encoder.encode(text);
    const checksum = crc32(content) ^ (damaged ? 1 : 0);
    damaged = false;
    // Version, flags, method, time, date, checksum, two sizes, length of the name, no extra field.
    const common = numbers([2, 20], [2, 0], [2, 0], [2, 0], [2, 33], [4, checksum], [4, content.length], [
      4,
      content.length,
    ], [
      2,
      name.length,
    ], [2, 0]);
    parts.push(numbers([4, 0x04034b50]), common, name, content);
    // No comment, disk 0, no attributes; made on Unix, an ordinary file.
    directory.push(
      numbers([4, 0x02014b50], [2, 3 << 8 | 20]),
      common,
      numbers([2, 0], [2, 0], [2, 0], [4, 0o100644 << 16], [4, offset]),
      name,
    );
    offset += 4 + common.length + name.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0), count = Object.keys(files).length;
  const end = numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return concat([...parts, ...directory, end]);
}

/** Little-endian numbers of so many bytes each. */
function numbers(...fields: [bytes: number, value: number][]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([bytes, value]) => Array.from({ length: bytes }, (_, i) => value >>> 8 * i & 255)),
  );
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
