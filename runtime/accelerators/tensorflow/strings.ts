import type { Api } from "./symbols.ts";

/** sizeof(TF_TString). */
export const STRING_BYTES = 24;

/** Pointers to the elements of a tensor of strings. */
function* elements(api: Api, tensor: Deno.PointerValue): Generator<Deno.PointerObject> {
  const count = Number(api.TF_TensorElementCount(tensor));
  const data = count === 0 ? null : api.TF_TensorData(tensor);
  if (data === null) return;
  for (let i = 0; i < count; i++) yield Deno.UnsafePointer.offset(data, i * STRING_BYTES)!;
}

/** Fills a new tensor of strings with bytes. */
export function writeStrings(api: Api, tensor: Deno.PointerValue, values: readonly Uint8Array<ArrayBuffer>[]): void {
  let i = 0;
  for (const element of elements(api, tensor)) {
    const value = values[i++];
    api.TF_StringInit(element);
    api.TF_StringCopy(element, value, BigInt(value.byteLength));
  }
}

/** Frees the strings that {@linkcode writeStrings} made: a tensor that TF_AllocateTensor gave does not own its elements. */
export function freeStrings(api: Api, tensor: Deno.PointerValue): void {
  for (const element of elements(api, tensor)) api.TF_StringDealloc(element);
}

/** Copies the strings of a tensor, as bytes. */
export function readStrings(api: Api, tensor: Deno.PointerValue): Uint8Array<ArrayBuffer>[] {
  return Array.from(elements(api, tensor), (element) => {
    const out = new Uint8Array(Number(api.TF_StringGetSize(element)));
    const data = api.TF_StringGetDataPointer(element);
    if (data && out.length > 0) Deno.UnsafePointerView.copyInto(data, out);
    return out;
  });
}
