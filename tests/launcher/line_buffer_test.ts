import assert from "node:assert/strict";
import { LineBuffer } from "../../launcher/line_buffer.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** Feeds text in pieces of `size` bytes and returns the lines, then the unterminated rest. */
function split(text: string, size: number): (string | undefined)[] {
  const buffer = new LineBuffer(), bytes = encode(text), lines: (string | undefined)[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    lines.push(...buffer.push(bytes.subarray(at, at + size)).lines.map(decode));
  }
  return [...lines, decode(buffer.end())];
}

Deno.test("lines are the same however the bytes are cut", () => {
  const text = "one\n\nдва\r\nthree 🧵\nrest";
  for (let size = 1; size <= 40; size++) {
    assert.deepEqual(split(text, size), ["one", "", "два", "three 🧵", "rest"], `pieces of ${size}`);
  }
});

Deno.test("a line that was overwritten keeps what a terminal would show", () => {
  for (let size = 1; size <= 40; size++) {
    assert.deepEqual(split("10 %\r20 %\rdone\nnext\n", size), ["done", "next", undefined], `pieces of ${size}`);
    assert.deepEqual(split("\r5 %\r\x1b[Ka message\n\rbar", size), ["a message", "bar"], `pieces of ${size}`);
  }
});

Deno.test("text after a carriage return is transient until it is replaced, erased, or ends", () => {
  const buffer = new LineBuffer();
  const push = (text: string) => {
    const { lines, transient } = buffer.push(encode(text));
    return [lines.map(decode), decode(transient)];
  };
  assert.deepEqual(push("\rEpoch 1: 10 %"), [[], "Epoch 1: 10 %"]);
  assert.deepEqual(push("\rEpoch 1: 20 %"), [[], "Epoch 1: 20 %"]);
  assert.deepEqual(push("\r\x1b[Ka message\n\rEpoch 1: 30 %"), [["a message"], "Epoch 1: 30 %"]);
  assert.deepEqual(push("\r"), [[], "Epoch 1: 30 %"]);
  assert.deepEqual(push("\x1b[K"), [[], undefined]);
  assert.deepEqual(push("a part of a line"), [[], "a part of a line"]);
  assert.deepEqual(push("\n"), [["a part of a line"], undefined]);
  assert.deepEqual(push("plain"), [[], undefined]);
});

Deno.test("a stream without newlines is handed out in pieces, and loses nothing", () => {
  const buffer = new LineBuffer(), chunk = new Uint8Array(300_000).fill(120);
  let size = 0;
  for (let i = 0; i < 20; i++) for (const line of buffer.push(chunk).lines) size += line.length;
  assert(size >= 5_000_000);
  assert.equal(size + (buffer.end()?.length ?? 0), 6_000_000);
});
