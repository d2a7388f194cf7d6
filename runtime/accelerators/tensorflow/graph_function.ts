import { graphSetters, type OpAttribute, setAttribute } from "./attributes.ts";
import type { TensorflowBinding } from "./binding.ts";
import { AttributeType, type NumericArray } from "./data_types.ts";
import type { HandleCall } from "./eager_ops.ts";
import { type OpDefinition, opDefinition } from "./op_definition.ts";
import { cString } from "./symbols.ts";

/** A value in a graph: an input of the function, or an output of one of its nodes. */
export type GraphValue = { readonly input: number } | { readonly node: number; readonly output: number };

/** One op of a graph, or a constant. Its inputs are inputs of the function and outputs of nodes before it. */
export type GraphNode =
  | { readonly name: string; readonly attributes: readonly OpAttribute[]; readonly inputs: readonly GraphValue[] }
  | { readonly constant: GraphConstant };

/** A tensor that is written into the graph. */
export interface GraphConstant {
  readonly shape: readonly number[];
  readonly dataType: number;
  readonly values: NumericArray | readonly Uint8Array<ArrayBuffer>[];
}

/** What a {@linkcode GraphFunction} is made of. */
export interface GraphFunctionOptions {
  /** The data types of the inputs. */
  readonly inputs: readonly number[];
  readonly nodes: readonly GraphNode[];
  /** Each output of a node may be named once. */
  readonly outputs: readonly GraphValue[];
}

/** How a function is run. */
export type GraphMode = "graph" | "exact" | "xla";

let made = 0;
const definitions = new Map<string, OpDefinition>();

/** Ops as one function of TensorFlow's, run by one call. */
export class GraphFunction implements Disposable {
  readonly outputCount: number;
  readonly #binding: TensorflowBinding;
  readonly #name: string;
  #disposed = false;

  /** @throws Error that names the op which TensorFlow does not take into a graph */
  constructor(binding: TensorflowBinding, options: GraphFunctionOptions) {
    this.#binding = binding;
    this.#name = `weft_step_${made++}`;
    this.outputCount = options.outputs.length;
    const { api } = binding.library;
    const graph = api.TF_NewGraph();
    try {
      define(binding, { graph, name: this.#name, ...options });
    } finally {
      api.TF_DeleteGraph(graph);
    }
  }

  /**
   * Runs it. The inputs stay the caller's; the outputs are the caller's.
   * @param mode `"graph"`: TensorFlow's graph executor, optimized; `"exact"`: every op as it would run alone; `"xla"`: compiled to machine code, which the
   * first call with new shapes does
   */
  call(inputs: readonly Deno.PointerValue[], mode: GraphMode): Deno.PointerValue[] {
    return this.#binding.execute(this.#name, this.#handleCall(inputs, mode));
  }

  /** As `call`, but it runs while the program goes on: see `TensorflowBinding.executeLater`. */
  callLater(inputs: readonly Deno.PointerValue[], mode: GraphMode): Deno.PointerValue[] {
    return this.#binding.executeLater(this.#name, this.#handleCall(inputs, mode));
  }

  #handleCall(inputs: readonly Deno.PointerValue[], mode: GraphMode): HandleCall {
    return { attributes: ATTRIBUTES[mode], inputs, numOutputs: this.outputCount };
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#binding.forget(this.#name);
    const { library: { api }, context, status } = this.#binding;
    api.TFE_ContextRemoveFunction(context.pointer, cString(this.#name), status.pointer);
  }
}

/** A `ConfigProto` with `graph_options.rewrite_options.disable_meta_optimizer`. */
const AS_IT_IS = new Uint8Array([0x52, 5, 0x52, 3, 0x98, 1, 1]);

const ATTRIBUTES: Record<GraphMode, OpAttribute[]> = {
  graph: [],
  exact: [{ name: "config_proto", type: AttributeType.STRING, value: AS_IT_IS }],
  xla: [{ name: "_XlaMustCompile", type: AttributeType.BOOL, value: true }],
};

/** TF_Output, as bytes: a pointer and an int, padded. */
const OUTPUT_BYTES = 16;

interface Output {
  readonly operation: Deno.PointerValue;
  readonly index: number;
}

/** Builds the graph and makes it a function of the context. */
function define(
  binding: TensorflowBinding,
  options: GraphFunctionOptions & { graph: Deno.PointerValue; name: string },
): void {
  const { graph, name, inputs, nodes, outputs } = options;
  const { library: { api }, status, context } = binding;
  const placeholders = inputs.map((dataType, index): Output => {
    const description = api.TF_NewOperation(graph, cString("Placeholder"), cString(`input_${index}`));
    api.TF_SetAttrType(description, cString("dtype"), dataType);
    return { operation: finish(binding, description, "Placeholder"), index: 0 };
  });
  const operations: Deno.PointerValue[] = [];
  const outputOf = (value: GraphValue): Output =>
    "input" in value ? placeholders[value.input] : { operation: operations[value.node], index: value.output };
  for (const [index, node] of nodes.entries()) {
    operations.push(
      "constant" in node
        ? addConstant(binding, { graph, index, constant: node.constant })
        : addOp(binding, { graph, index, node, outputOf }),
    );
  }
  const ins = pack(placeholders), outs = pack(outputs.map(outputOf));
  const made = api.TF_GraphToFunction(
    graph,
    cString(name),
    0,
    -1,
    null,
    placeholders.length,
    ins,
    outputs.length,
    outs,
    null,
    null,
    null,
    status.pointer,
  );
  status.check("cannot make a function of the recorded ops");
  api.TFE_ContextAddFunction(context.pointer, made, status.pointer);
  api.TF_DeleteFunction(made);
  status.check("does not take a function of the recorded ops");
}

function addConstant(
  binding: TensorflowBinding,
  { graph, index, constant }: { graph: Deno.PointerValue; index: number; constant: GraphConstant },
): Deno.PointerValue {
  const { library: { api }, status } = binding;
  const id = binding.createTensor(constant.shape, constant.dataType, constant.values);
  let tensor: Deno.PointerValue = null;
  try {
    tensor = api.TFE_TensorHandleResolve(binding.handleOf(id), status.pointer);
    status.check("cannot read a constant");
    const description = api.TF_NewOperation(graph, cString("Const"), cString(`constant_${index}`));
    api.TF_SetAttrTensor(description, cString("value"), tensor, status.pointer);
    status.check("cannot write a constant");
    api.TF_SetAttrType(description, cString("dtype"), constant.dataType);
    return finish(binding, description, "Const");
  } finally {
    if (tensor) api.TF_DeleteTensor(tensor);
    binding.deleteTensor(id);
  }
}

function addOp(
  binding: TensorflowBinding,
  { graph, index, node, outputOf }: {
    graph: Deno.PointerValue;
    index: number;
    node: Extract<GraphNode, { name: string }>;
    outputOf: (value: GraphValue) => Output;
  },
): Deno.PointerValue {
  const { library: { api }, status } = binding;
  let definition = definitions.get(node.name);
  if (!definition) definitions.set(node.name, definition = opDefinition(api, status, { graph, name: node.name }));
  if (definition.isStateful) {
    throw new Error(`TensorFlow op ${node.name} has a state of its own, which a graph would share`);
  }
  const description = api.TF_NewOperation(graph, cString(node.name), cString(`op_${index}`));
  let next = 0;
  const lists = definition.inputs.filter(({ countAttribute }) => countAttribute !== undefined).length;
  for (const { countAttribute } of definition.inputs) {
    if (countAttribute === undefined) {
      api.TF_AddInput(description, pack([outputOf(node.inputs[next++])]));
      continue;
    }
    // The ops that tfjs calls have one list at most, so it takes what the single inputs leave.
    const count = listLength(node, { countAttribute, lists, singles: definition.inputs.length - lists });
    const values = node.inputs.slice(next, next += count).map(outputOf);
    api.TF_AddInputList(description, pack(values), count);
  }
  const setters = graphSetters(api);
  for (const attribute of node.attributes) {
    // An op that runs alone disregards what it does not know; a graph refuses it.
    if (definition.attributes.has(attribute.name)) setAttribute(setters, description, attribute);
  }
  return finish(binding, description, node.name);
}

function listLength(
  node: Extract<GraphNode, { name: string }>,
  { countAttribute, lists, singles }: { countAttribute: string; lists: number; singles: number },
): number {
  if (lists === 1) return node.inputs.length - singles;
  const count = node.attributes.find(({ name }) => name === countAttribute)?.value;
  if (typeof count === "number") return count;
  throw new Error(`TensorFlow op ${node.name} takes several lists of tensors, and does not say how long they are`);
}

function finish(binding: TensorflowBinding, description: Deno.PointerValue, name: string): Deno.PointerValue {
  const { library: { api }, status } = binding;
  const operation = api.TF_FinishOperation(description, status.pointer);
  status.check(`op ${name}`);
  return operation;
}

function pack(outputs: readonly Output[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(OUTPUT_BYTES * outputs.length), view = new DataView(bytes.buffer);
  for (const [i, { operation, index }] of outputs.entries()) {
    view.setBigUint64(OUTPUT_BYTES * i, Deno.UnsafePointer.value(operation), true);
    view.setInt32(OUTPUT_BYTES * i + 8, index, true);
  }
  return bytes;
}
