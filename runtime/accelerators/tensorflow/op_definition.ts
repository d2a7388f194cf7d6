import type { Status } from "./status.ts";
import { type Api, cString } from "./symbols.ts";

/** What TensorFlow's registry says of an op: as much as is needed to put one into a graph. */
export interface OpDefinition {
  readonly name: string;
  readonly inputs: readonly OpInput[];
  /** The names of its attributes. */
  readonly attributes: ReadonlySet<string>;
  /** It has an effect or a memory of its own, such as a generator of random numbers. */
  readonly isStateful: boolean;
}

/** One input of an op. */
export interface OpInput {
  readonly name: string;
  /** The attribute that says how many tensors this input takes; undefined: one. */
  readonly countAttribute: string | undefined;
}

/**
 * Reads the definition of an op (an `OpDef` of tensorflow/core/framework/op_def.proto).
 * @param graph any graph
 * @throws Error if there is no such op
 */
export function opDefinition(
  api: Api,
  status: Status,
  options: { graph: Deno.PointerValue; name: string },
): OpDefinition {
  const { graph, name } = options;
  const buffer = api.TF_NewBuffer();
  try {
    api.TF_GraphGetOpDef(graph, cString(name), buffer, status.pointer);
    status.check(`has no op ${name}`);
    const view = new Deno.UnsafePointerView(buffer!);
    const data = view.getPointer(0), length = Number(view.getBigUint64(8));
    const bytes = data
      ? new Uint8Array(new Deno.UnsafePointerView(data).getArrayBuffer(length).slice(0))
      : new Uint8Array();
    return parse(bytes);
  } finally {
    api.TF_DeleteBuffer(buffer);
  }
}

function parse(bytes: Uint8Array): OpDefinition {
  const inputs: OpInput[] = [], attributes = new Set<string>();
  let name = "", isStateful = false;
  for (const { number, content, value } of fields(bytes)) {
    if (number === 1) name = text(content!);
    else if (number === 2) inputs.push(parseInput(content!));
    else if (number === 4) attributes.add(text(first(content!, 1)!));
    else if (number === 17) isStateful = value !== 0;
  }
  return { name, inputs, attributes, isStateful };
}

function parseInput(bytes: Uint8Array): OpInput {
  // A list of one type has number_attr (5), one of any types type_list_attr (6).
  const count = first(bytes, 5) ?? first(bytes, 6);
  return { name: text(first(bytes, 1)!), countAttribute: count && text(count) };
}

interface Field {
  number: number;
  content?: Uint8Array;
  value?: number;
}

/** The fields of a message; those of fixed width are left out. */
function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint(), number = Math.floor(key / 8);
    switch (key & 7) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        yield { number, content: bytes.subarray(at, at += length) };
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new Error("TensorFlow describes its ops in a format that is not known here");
    }
  }
}

function first(bytes: Uint8Array, number: number): Uint8Array | undefined {
  for (const field of fields(bytes)) if (field.number === number) return field.content;
  return undefined;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
