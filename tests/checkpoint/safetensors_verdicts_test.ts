/**
 * The malformed files of the safetensors project's own tests, and others of the kind, beside what its reader (0.8.0) says of them:
 * where the verdicts differ, the case says why.
 */
import assert from "node:assert/strict";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { CheckpointError } from "../../runtime/core/errors.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

/** What a reader does with a file. */
type Verdict = "read" | "refused";

/** A file, by its header, the bytes behind it, and the length it claims for the header (default: the true one). */
interface Case {
  readonly what: string;
  readonly header: string | Uint8Array;
  readonly dataBytes?: number;
  readonly claimed?: bigint;
  /** What safetensors does. */
  readonly theirs: Verdict;
  /** Why ours does something else. */
  readonly unlike?: string;
}

const named = (name: string, shape: string, offsets: string, more = "") =>
  `"${name}":{"dtype":"I32","shape":${shape},"data_offsets":${offsets}${more}}`;
const one = (shape: string, offsets: string, more = "") => `{${named("test", shape, offsets, more)}}`;
const square = one("[2,2]", "[0,16]");
const EXACT = "sizes beyond 2^53 are not numbers that JavaScript holds exactly";
const NO_NUMBER = "JavaScript's JSON does not tell 1.0 from 1, and the value is the same";

const CASES: readonly Case[] = [
  { what: "a whole file", header: square, dataBytes: 16, theirs: "read" },
  { what: "no tensors", header: "{}      ", theirs: "read" },
  { what: "metadata alone", header: `{"__metadata__":{"framework":"pt"}}     `, theirs: "read" },
  { what: "metadata that is null", header: `{"__metadata__":null}`, theirs: "read" },
  { what: "a scalar", header: one("[]", "[0,4]"), dataBytes: 4, theirs: "read" },
  { what: "a size of zero", header: one("[2,0]", "[0, 0]"), theirs: "read" },
  { what: "a header with all of JSON's blanks behind it", header: "{}\r \t\n", theirs: "read" },
  {
    what: "tensors that are not named in the order of their bytes",
    theirs: "read",
    dataBytes: 8,
    header: `{${named("a", "[1]", "[4,8]")},${named("b", "[1]", "[0,4]")}}`,
  },
  {
    what: "two empty tensors at one place",
    header: `{${named("a", "[0]", "[0,0]")},${named("b", "[0]", "[0,0]")}}`,
    theirs: "read",
  },
  { what: "a field that nobody knows", header: one("[1]", "[0,4]", `,"strides":[1]`), dataBytes: 4, theirs: "read" },
  {
    what: "names that are paths and prototypes",
    theirs: "read",
    dataBytes: 12,
    header: `{${named("../../etc/passwd", "[1]", "[0,4]")},${named("__proto__", "[1]", "[4,8]")},${
      named("constructor", "[1]", "[8,12]")
    }}`,
  },

  { what: "an empty file", header: "", claimed: -1n, theirs: "refused" },
  { what: "a length without a header", header: "", claimed: 60n, theirs: "refused" },
  {
    what: "a header length with its upper bytes set",
    header: square,
    dataBytes: 16,
    claimed: 0xffffff000000003cn,
    theirs: "refused",
  },
  { what: "a header that is not UTF-8", header: Uint8Array.of(0xff), theirs: "refused" },
  { what: "a header that is one brace", header: "{", theirs: "refused" },
  {
    what: "a header with blanks before it",
    header: "\t\n{}\r ",
    theirs: "read",
    unlike: "its documentation says that a header begins with a brace",
  },
  { what: "a header with a byte order mark", header: "\ufeff{}", theirs: "refused" },
  { what: "a header padded with zeros", header: "{}\0\0", theirs: "refused" },
  { what: "a file that is another format from the last tensor on", header: square, dataBytes: 50, theirs: "refused" },
  { what: "a file that lacks its last two bytes", header: square, dataBytes: 14, theirs: "refused" },
  {
    what: "ten tensors over the same bytes",
    dataBytes: 16,
    theirs: "refused",
    header: `{${Array.from({ length: 10 }, (_, i) => named(`weight_${i}`, "[2,2]", "[0,16]")).join(",")}}`,
  },
  {
    what: "a gap between two tensors",
    dataBytes: 12,
    theirs: "refused",
    header: `{${named("a", "[1]", "[0,4]")},${named("b", "[1]", "[8,12]")}}`,
  },
  {
    what: "an empty tensor within another",
    dataBytes: 8,
    theirs: "refused",
    header: `{${named("a", "[2]", "[0,8]")},${named("b", "[0]", "[4,4]")}}`,
  },
  { what: "an empty tensor behind the end", header: one("[0]", "[4,4]"), theirs: "refused" },
  { what: "an empty tensor with bytes", header: one("[0]", "[0,4]"), dataBytes: 4, theirs: "refused" },
  { what: "offsets that do not fit the shape", header: one("[2,2]", "[0, 4]"), dataBytes: 4, theirs: "refused" },
  { what: "offsets the wrong way round", header: one("[1]", "[4,0]"), dataBytes: 4, theirs: "refused" },
  { what: "offsets beyond 2^64", header: one("[1]", "[0,18446744073709551620]"), dataBytes: 4, theirs: "refused" },
  {
    what: "a shape whose product overflows",
    header: one("[2,18446744073709551614]", "[0,16]"),
    dataBytes: 16,
    theirs: "refused",
  },
  {
    what: "a shape whose bytes overflow",
    header: one("[2,9223372036854775807]", "[0,16]"),
    dataBytes: 16,
    theirs: "refused",
  },
  {
    what: "a shape that overflows before it meets a zero",
    header: one("[4294967296,4294967296,0]", "[0,0]"),
    theirs: "refused",
  },
  { what: "a size that is text", header: one(`["1"]`, "[0,4]"), dataBytes: 4, theirs: "refused" },
  {
    what: "a shape that is missing",
    header: `{"test":{"dtype":"I32","data_offsets":[0,4]}}`,
    dataBytes: 4,
    theirs: "refused",
  },
  {
    what: "a type that nobody knows",
    header: `{"test":{"dtype":"I33","shape":[1],"data_offsets":[0,4]}}`,
    dataBytes: 4,
    theirs: "refused",
  },
  {
    what: "a type in small letters",
    header: `{"test":{"dtype":"i32","shape":[1],"data_offsets":[0,4]}}`,
    dataBytes: 4,
    theirs: "refused",
  },
  { what: "a field that occurs twice", header: one("[1]", "[0,4]", `,"shape":[1]`), dataBytes: 4, theirs: "refused" },
  {
    what: "a name that is half a character",
    header: `{${named("\\ud800", "[1]", "[0,4]")}}`,
    dataBytes: 4,
    theirs: "refused",
  },
  { what: "metadata that is a number", header: `{"__metadata__":{"a":1}}`, theirs: "refused" },
  {
    what: "metadata that is a tensor",
    header: `{${named("__metadata__", "[1]", "[0,4]")}}`,
    dataBytes: 4,
    theirs: "refused",
  },
  { what: "metadata that is half a character", header: `{"__metadata__":{"a":"\\ud800"}}`, theirs: "refused" },
  { what: "metadata that occurs twice", header: `{"__metadata__":{},"__metadata__":{}}`, theirs: "refused" },

  {
    what: "a name that occurs twice",
    dataBytes: 4,
    theirs: "read",
    unlike: "what one of the two says is lost",
    header: `{${named("a", "[1]", "[0,4]")},${named("a", "[1]", "[0,4]")}}`,
  },
  {
    what: "a key of the metadata that occurs twice",
    header: `{"__metadata__":{"a":"1","a":"2"}}`,
    theirs: "read",
    unlike: "what one of the two says is lost",
  },
  {
    what: "a tensor that is a list of its fields",
    header: `{"test":["I32",[1],[0,4]]}`,
    dataBytes: 4,
    theirs: "read",
    unlike: "the format does not say so",
  },
  {
    what: "a zero beside sizes that are not exact",
    header: one("[0,18446744073709551615]", "[0,0]"),
    theirs: "read",
    unlike: EXACT,
  },
  {
    what: "a size with a decimal point",
    header: one("[1.0]", "[0,4]"),
    dataBytes: 4,
    theirs: "refused",
    unlike: NO_NUMBER,
  },
  {
    what: "an offset with an exponent",
    header: one("[1]", "[0,4e0]"),
    dataBytes: 4,
    theirs: "refused",
    unlike: NO_NUMBER,
  },
];

function bytesOf({ header, dataBytes = 0, claimed }: Case): Uint8Array<ArrayBuffer> {
  if (claimed === -1n) return new Uint8Array(0);
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

for (const entry of CASES) {
  const { what, theirs, unlike } = entry;
  const ours = unlike === undefined ? theirs : theirs === "read" ? "refused" : "read";
  const beside = unlike === undefined ? "as safetensors does" : `unlike safetensors: ${unlike}`;
  Deno.test(`${what}: ${ours}, ${beside}`, async () => {
    await inTemporaryFolder(async (folder) => {
      await Deno.writeFile(`${folder}/x.safetensors`, bytesOf(entry));
      const reading = readCheckpoint(`${folder}/x.safetensors`);
      if (ours === "refused") await assert.rejects(reading, CheckpointError);
      else assert.equal(Object.getPrototypeOf(await reading), Object.prototype);
    });
  });
}

Deno.test("what the cases say of safetensors is what it does, where Python has it", async (t) => {
  const python = Deno.env.get("WEFT_TEST_PYTHON") ?? "python3";
  await inTemporaryFolder(async (folder) => {
    await Promise.all(CASES.map((entry, i) => Deno.writeFile(`${folder}/${i}`, bytesOf(entry))));
    const script = `
import sys
from safetensors import SafetensorError, deserialize
for i in range(int(sys.argv[2])):
    try:
        deserialize(open(f"{sys.argv[1]}/{i}", "rb").read())
        print("read")
    except SafetensorError:
        print("refused")
`;
    const args = ["-c", script, folder, String(CASES.length)];
    const output = await new Deno.Command(python, { args }).output().catch(() => undefined);
    if (!output?.success) {
      console.log(`skipped: ${python} has no safetensors; name one that has in WEFT_TEST_PYTHON`);
      await t.step({ name: "needs a Python with safetensors", ignore: true, fn() {} });
      return;
    }
    const said = new TextDecoder().decode(output.stdout).trim().split("\n");
    assert.deepEqual(
      CASES.map(({ what }, i) => `${what}: ${said[i]}`),
      CASES.map(({ what, theirs }) => `${what}: ${theirs}`),
    );
  });
});
