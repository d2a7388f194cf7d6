import assert from "node:assert/strict";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { readCheckpointHeader } from "../../runtime/checkpoint/read_checkpoint_header.ts";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import { CheckpointError } from "../../runtime/core/errors.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

/** A file from a header's text (or bytes) and the bytes after it. */
function file(header: string | Uint8Array, dataBytes = 0, headerBytes?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerBytes ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = "F32") =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });
const ours = (tree: unknown, format: unknown = 1, tensors = "") =>
  `{"__metadata__":${
    JSON.stringify({ weft: JSON.stringify({ format, writer: "Weft 9.1", tree }), "weft.sha256": "" })
  }${tensors}}`;

const MALFORMED: readonly [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /cut short or no checkpoint at all: it has 0 bytes/],
  ["a file shorter than a length", new Uint8Array(7), /it has 7 bytes/],
  ["a text file", new TextEncoder().encode("epoch,loss\n1,0.5\n"), /does not begin as a safetensors file/],
  ["a header length beyond the format's bound", file("{}", 0, 100_000_001n), /does not begin as a safetensors file/],
  ["a header length of 2^64-1", file("{}", 0, 2n ** 64n - 1n), /does not begin as a safetensors file/],
  ["a header longer than the file", file("{}", 0, 60n), /its header takes 60 bytes, but 2 follow/],
  ["a header of no bytes", file(""), /does not begin with `{`/],
  ["a header that is a list", file("[]"), /does not begin with `{`/],
  ["a header that begins with a blank", file(" {}"), /does not begin with `{`/],
  ["a header that is not UTF-8", file(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
  ["a header that is not JSON", file("{"), /not JSON/],
  ["a header with text behind it", file("{}x"), /not JSON/],
  [
    "a name that occurs twice",
    file(`{"a":${tensor([1], [0, 4])},"\\u0061":${tensor([1], [0, 4])}}`, 4),
    /the name "a" twice/,
  ],
  ["metadata that occurs twice", file(`{"__metadata__":{},"__metadata__":{}}`), /the name "__metadata__" twice/],
  ["metadata that is no object", file(`{"__metadata__":[]}`), /`__metadata__` is no object/],
  ["metadata that is no text", file(`{"__metadata__":{"a":1}}`), /has "a", which is no string/],
  ["a tensor without description", file(`{"a":null}`), /the tensor "a" has no description/],
  [
    "a tensor of a type that nobody knows",
    file(`{"a":${tensor([1], [0, 4], "X9")}}`, 4),
    /type "X9"; types that can be read: F64/,
  ],
  [
    "a tensor of a type that is an object's method",
    file(`{"a":${tensor([1], [0, 4], "constructor")}}`, 4),
    /of type "constructor"/,
  ],
  ["a shape that is no list", file(`{"a":${tensor({}, [0, 4])}}`, 4), /impossible shape {}/],
  ["a negative size", file(`{"a":${tensor([-1], [0, 4])}}`, 4), /impossible shape \[-1\]/],
  ["a broken size", file(`{"a":${tensor([1.5], [0, 6])}}`, 6), /impossible shape \[1.5\]/],
  ["a shape whose product overflows", file(`{"a":${tensor([2 ** 40, 2 ** 40], [0, 4])}}`, 4), /impossible shape/],
  ["offsets that are missing", file(`{"a":{"dtype":"F32","shape":[]}}`), /impossible offsets undefined/],
  ["offsets the wrong way round", file(`{"a":${tensor([1], [4, 0])}}`, 4), /impossible offsets \[4,0\]/],
  ["a negative offset", file(`{"a":${tensor([1], [-4, 0])}}`, 4), /impossible offsets/],
  ["three offsets", file(`{"a":${tensor([1], [0, 4, 8])}}`, 4), /impossible offsets/],
  ["a shape that does not fit the offsets", file(`{"a":${tensor([2], [0, 4])}}`, 4), /takes 8 bytes, not 4/],
  ["tensors that overlap", file(`{"a":${tensor([2], [0, 8])},"b":${tensor([2], [4, 12])}}`, 12), /"b" overlaps/],
  [
    "many tensors over the same bytes",
    file(
      `{${Array.from({ length: 1000 }, (_, i) => `"${i}":${tensor([1000], [0, 4000])}`).join(",")}}`,
      4000,
    ),
    /overlaps the one before/,
  ],
  ["a gap before the first tensor", file(`{"a":${tensor([1], [4, 8])}}`, 8), /a gap of 4 bytes before the tensor "a"/],
  [
    "a gap between tensors",
    file(`{"a":${tensor([1], [0, 4])},"b":${tensor([1], [8, 12])}}`, 12),
    /gap of 4 bytes before .*"b"/,
  ],
  [
    "tensors beyond the end",
    file(`{"a":${tensor([2], [0, 8])}}`, 4),
    /cut short: its tensors take 8 bytes, but it has 4/,
  ],
  ["a tensor of petabytes", file(`{"a":${tensor([2 ** 48], [0, 2 ** 50])}}`, 4), /cut short/],
  ["bytes behind the last tensor", file(`{"a":${tensor([1], [0, 4])}}`, 5), /1 bytes after its last tensor/],
  ["state that is not JSON", file(`{"__metadata__":{"weft":"{"}}`), /state in its header is not JSON/],
  ["state that is null", file(`{"__metadata__":{"weft":"null"}}`), /format undefined, expected a number/],
  ["a format that is no number", file(ours({}, "1")), /format "1", expected a number from 1 up/],
  ["state that is no record", file(ours([1])), /its state is no record/],
  [
    "state that names a tensor which is not there",
    file(ours({ a: { $tensor: "__proto__" } })),
    /"__proto__", which is not in the file/,
  ],
  ["a value of unknown kind", file(ours({ a: { $function: "alert(1)" } })), /unknown kind "\$function"/],
  ["a number that is none", file(ours({ a: { $number: "1" } })), /unknown kind "\$number"/],
  ["a big integer that is none", file(ours({ a: { $bigint: "1n" } })), /unknown kind "\$bigint"/],
  ["a mark beside other keys", file(ours({ a: { $number: "NaN", b: 1 } })), /key "\$number" beside others/],
  [
    "state nested without end",
    file(`{"__metadata__":${
      JSON.stringify({
        "weft.sha256": "",
        weft: `{"format":1,"tree":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
      })
    }}`),
    /nested deeper than 200/,
  ],
  [
    "state without a digest",
    file(`{"__metadata__":{"weft":"{\\"format\\":1,\\"tree\\":{}}"}}`),
    /does not match its digest/,
  ],
  ["a digest of one letter", file(`{"__metadata__":{"weft.sha256":"x"}}`), /does not match its digest/],
];

for (const [what, bytes, message] of MALFORMED) {
  Deno.test(`${what} is refused with what is wrong`, async () => {
    await inTemporaryFolder(async (folder) => {
      const path = `${folder}/bad.ckpt`;
      await Deno.writeFile(path, bytes);
      await assert.rejects(readCheckpoint(path), (error) => {
        assert.ok(error instanceof CheckpointError, String(error));
        assert.equal(error.path, path);
        assert.match(error.message, /bad\.ckpt is not a valid checkpoint: /);
        assert.match(error.message, message);
        return true;
      });
    });
  });
}

Deno.test("what the safetensors format allows is read: scalars, empty shapes, blanks behind the header, no tensors", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/good.safetensors`;
    await Deno.writeFile(path, file("{}    "));
    assert.deepEqual(await readCheckpoint(path), {});
    await Deno.writeFile(
      path,
      file(`{"":${tensor([], [0, 4])},"e":${tensor([2, 0], [4, 4])},"__proto__":${tensor([1], [4, 8])}}`, 8),
    );
    const read = await readCheckpoint(path);
    assert.deepEqual(Object.keys(read).sort(), ["", "__proto__", "e"]);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
  });
});

Deno.test("a checkpoint of a newer version says which version reads it, also by its header alone", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/new.ckpt`;
    await Deno.writeFile(path, file(ours({}, 2)));
    const expected = {
      name: "CheckpointError",
      message:
        `${path} has the checkpoint format 2, written by Weft 9.1; this version reads formats up to 1: load it with ` +
        `Weft 9.1 or newer`,
    };
    await assert.rejects(readCheckpoint(path), expected);
    await assert.rejects(readCheckpointHeader(path), expected);
  });
});

Deno.test("a missing file and a folder are named", async () => {
  await inTemporaryFolder(async (folder) => {
    await assert.rejects(readCheckpoint(`${folder}/no.ckpt`), {
      message: `Checkpoint file not found: ${folder}/no.ckpt`,
    });
    await assert.rejects(readCheckpoint(folder), /is a folder, not a file|directory/i);
  });
});

Deno.test("every byte that is flipped, and every length that a file is cut to, is noticed", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/a.ckpt`;
    await writeCheckpoint(path, { w: { dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) }, step: 5 });
    const good = await Deno.readFile(path);
    for (let i = 0; i < good.length; i++) {
      const bad = good.slice();
      bad[i] ^= 1;
      await Deno.writeFile(path, bad);
      await assert.rejects(readCheckpoint(path), CheckpointError, `byte ${i}`);
      await Deno.writeFile(path, good.subarray(0, i));
      await assert.rejects(readCheckpoint(path), CheckpointError, `cut to ${i}`);
    }
  });
});
