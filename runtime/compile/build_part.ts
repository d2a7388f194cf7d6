import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { AttributeType, DataType } from "../accelerators/tensorflow/data_types.ts";
import { GraphFunction, type GraphNode, type GraphValue } from "../accelerators/tensorflow/graph_function.ts";
import type { RecordedOp, Recording, Source } from "./recording.ts";

/** What a part takes: a value, or all numbers (all integers) that were read before a part, in one tensor. */
export type PartInput = Source | PackedNumbers;

/** The numbers that are read before one part, as one tensor of one dimension. */
export interface PackedNumbers {
  readonly kind: "numbers" | "packedIntegers";
  readonly part: number;
}

/** A stretch of a recorded step between two exchanges, as a function. */
export interface BuiltPart {
  readonly function: GraphFunction;
  readonly inputs: readonly PartInput[];
  /** The values that it gives, each once. */
  readonly outputs: readonly Source[];
}

/** What {@linkcode buildPart} is given. */
export interface PartPlan {
  readonly recording: Recording;
  readonly ops: readonly RecordedOp[];
  readonly outputs: readonly Source[];
  /** The packed numbers of each part. */
  readonly packed: readonly { numbers: PackedNumbers; integers: PackedNumbers }[];
}

/** Makes a function of the ops of one part. @throws Error that names the op which does not go into a graph */
export function buildPart(binding: TensorflowBinding, plan: PartPlan): BuiltPart {
  const { recording, ops, outputs, packed } = plan;
  const nodes: GraphNode[] = [], inputs: PartInput[] = [], types: number[] = [];
  const values = new Map<Source, GraphValue>();
  const nodeOf = new Map<RecordedOp, number>();
  const unpacked = new Map<PackedNumbers, number>();

  const node = (added: GraphNode) => nodes.push(added) - 1;
  const input = (source: PartInput, type: number): GraphValue => {
    types.push(type);
    return { input: inputs.push(source) - 1 };
  };

  function unpack(source: Extract<Source, { kind: "number" | "integers" }>): GraphValue {
    const isNumber = source.kind === "number";
    let first = 0;
    const part = recording.actions.findIndex((actions) => {
      const count = actions.filter(({ kind }) => kind === source.kind).length;
      if (source.index < first + count) return true;
      first += count;
      return false;
    });
    const pack = isNumber ? packed[part].numbers : packed[part].integers;
    let index = unpacked.get(pack);
    if (index === undefined) {
      const lengths = recording.actions[part].flatMap((action) => action.kind === "integers" ? [action.length] : []);
      index = isNumber
        ? node(
          unpackNumbers(
            input(pack, DataType.FLOAT),
            recording.actions[part].filter(({ kind }) => kind === "number").length,
          ),
        )
        : node(splitIntegers(node, input(pack, DataType.INT32), lengths));
      unpacked.set(pack, index);
    }
    return { node: index, output: source.index - first };
  }

  function valueOf(source: Source): GraphValue {
    if (source.kind === "op") {
      const index = nodeOf.get(source.op);
      if (index !== undefined) return { node: index, output: source.output };
    }
    let value = values.get(source);
    if (value) return value;
    if (source.kind === "constant") value = { node: node({ constant: source.value }), output: 0 };
    else if (source.kind === "number" || source.kind === "integers") value = unpack(source);
    else value = input(source, typeOf(source));
    values.set(source, value);
    return value;
  }

  for (const op of ops) {
    const inputValues = op.inputs.map(valueOf);
    nodeOf.set(op, node({ name: op.name, attributes: op.attributes, inputs: inputValues }));
  }
  const outputValues = outputs.map((source) => {
    const value = valueOf(source);
    // An input of a function cannot be its output, and a constant should not be.
    if (source.kind === "op" && nodeOf.has(source.op)) return value;
    return { node: node({ name: "Identity", attributes: [], inputs: [value] }), output: 0 };
  });
  return { function: new GraphFunction(binding, { inputs: types, nodes, outputs: outputValues }), inputs, outputs };
}

/** The data type of a value that comes into a part. */
function typeOf(source: Source): number {
  if (source.kind === "op") return source.op.outputs[source.output];
  return "dataType" in source ? source.dataType : DataType.FLOAT;
}

function unpackNumbers(value: GraphValue, count: number): GraphNode {
  const attributes = [
    { name: "num", type: AttributeType.INT, value: count },
    { name: "axis", type: AttributeType.INT, value: 0 },
  ];
  return { name: "Unpack", attributes, inputs: [value] };
}

function splitIntegers(node: (added: GraphNode) => number, value: GraphValue, lengths: readonly number[]): GraphNode {
  const constant = (shape: number[], values: number[]): GraphValue => ({
    node: node({ constant: { shape, dataType: DataType.INT32, values: Int32Array.from(values) } }),
    output: 0,
  });
  const attributes = [
    { name: "num_split", type: AttributeType.INT, value: lengths.length },
    { name: "Tlen", type: AttributeType.TYPE, value: DataType.INT32 },
  ];
  return { name: "SplitV", attributes, inputs: [value, constant([lengths.length], [...lengths]), constant([], [0])] };
}
