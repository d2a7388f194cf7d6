/** A field of a message that holds an integer, as its bytes. Numbers of fields go to 15 and beyond. */
export function integerField(field: number, value: number): number[] {
  return [...varint(field * 8), ...varint(value)];
}

/** A field that holds bytes, a text or a message. */
export function bytesField(field: number, content: Iterable<number> | string): number[] {
  const array = [...(typeof content === "string" ? new TextEncoder().encode(content) : content)];
  return [...varint(field * 8 + 2), ...varint(array.length), ...array];
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push(value % 128 | 128);
  return [...out, value];
}
