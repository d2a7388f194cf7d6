import { autocastRule, type Casts, type FloatType } from "../../precision/autocast_rule.ts";
import { fromHalfFloats, type HalfFormat, toHalfFloats } from "../../precision/half_floats.ts";
import { fullPrecision, type PrecisionInUse } from "../../precision/precision_in_use.ts";
import type { Precision } from "../../precision/precision.ts";
import type { OpAttribute } from "./attributes.ts";
import type { TensorflowBinding } from "./binding.ts";
import { AttributeType, DataType, type NumericArray } from "./data_types.ts";
import type { TensorMetadata } from "./op_observer.ts";

type HalfType = "float16" | "bfloat16";

const NUMBERS: Readonly<Record<FloatType, number>> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.HALF,
  bfloat16: DataType.BFLOAT16,
};
const NAMES = new Map(Object.entries(NUMBERS).map(([name, number]) => [number, name as FloatType]));
const HALVES: Readonly<Record<number, HalfFormat>> = { [DataType.HALF]: "fp16", [DataType.BFLOAT16]: "bf16" };

/** What the numbers of a `-true` precision are kept in. */
const STORED: Partial<Record<Precision, FloatType>> = {
  "16-true": "float16",
  "bf16-true": "bfloat16",
  "64-true": "float64",
};
/** What the ops that gain compute in. */
const COMPUTED: Partial<Record<Precision, HalfType>> = { "16-mixed": "float16", "bf16-mixed": "bfloat16" };

type Executor = Pick<TensorflowBinding, "executeOp" | "createTensor" | "tensorDataSync" | "adoptHandle">;

const installed = new WeakMap<TensorflowBinding, MixedPrecision>();

/**
 * Makes a binding compute in a precision. To TensorFlow.js all floating tensors stay float32; below it
 * - in a mixed precision the ops that `autocastRule` names run on casts of their inputs, while `autocast` is under way;
 * - in a `-true` precision every floating tensor is made and computed in that type. Values enter and leave as float32. An op that TensorFlow
 *   does not have in that type runs in float32, between casts.
 *
 * The casts are ops of the binding, so that its observer sees them.
 */
export function usePrecision(binding: TensorflowBinding, precision: Precision): PrecisionInUse {
  if (precision === "32-true") return fullPrecision;
  let mixed = installed.get(binding);
  if (!mixed) installed.set(binding, mixed = new MixedPrecision(binding));
  return mixed.use(precision);
}

class MixedPrecision {
  readonly #binding: TensorflowBinding;
  /** The binding's methods as they were. */
  readonly #plain: Executor;
  /** How many calls of `autocast` are under way, by type. */
  readonly #autocasts: Record<HalfType, number> = { float16: 0, bfloat16: 0 };
  /** The `-true` precisions in use; the last one counts. */
  readonly #stored: { type: FloatType }[] = [];
  /** From the first `-true` precision on there may be tensors of any floating type. */
  #anyTypes = false;
  /** Ops that TensorFlow lacks in a type: `float16 Multinomial`. */
  readonly #lacking = new Set<string>();

  constructor(binding: TensorflowBinding) {
    this.#binding = binding;
    this.#plain = {
      executeOp: binding.executeOp.bind(binding),
      createTensor: binding.createTensor.bind(binding),
      tensorDataSync: binding.tensorDataSync.bind(binding),
      adoptHandle: binding.adoptHandle.bind(binding),
    };
    binding.executeOp = (name, attributes, inputs, numOutputs) =>
      this.#executeOp({ name, attributes, inputs, numOutputs });
    binding.createTensor = (shape, dataType, values) => this.#createTensor(shape, dataType, values);
    binding.tensorDataSync = (id) => this.#read(id);
    binding.adoptHandle = (handle, shape) => asFloat32(this.#plain.adoptHandle(handle, shape));
  }

  use(precision: Precision): PrecisionInUse {
    const computed = COMPUTED[precision], stored = STORED[precision];
    if (computed) return { autocast: (f) => this.#autocast(computed, f), [Symbol.dispose]() {} };
    if (!stored) return fullPrecision;
    const entry = { type: stored };
    this.#stored.push(entry);
    this.#anyTypes = true;
    return {
      autocast: (f) => f(),
      [Symbol.dispose]: () => {
        const at = this.#stored.indexOf(entry);
        if (at >= 0) this.#stored.splice(at, 1);
      },
    };
  }

  #autocast<T>(type: HalfType, f: () => T): T {
    this.#autocasts[type]++;
    const end = () => void this.#autocasts[type]--;
    let result: T;
    try {
      result = f();
    } catch (error) {
      end();
      throw error;
    }
    if (result instanceof Promise) return result.finally(end) as T;
    end();
    return result;
  }

  get #storedType(): FloatType {
    return this.#stored.at(-1)?.type ?? "float32";
  }

  #executeOp(op: Op): TensorMetadata[] {
    const stored = this.#storedType, casts = stored === "float32" ? this.#castsOf(op) : undefined;
    if (casts) {
      const outputs = this.#withInputs(
        op,
        casts.inputs,
        (inputs) => this.#run({ ...op, inputs, attributes: replaceFloat(op.attributes, NUMBERS[casts.compute]) }),
      );
      return outputs.map((output) => this.#castAway(output, casts.output));
    }
    return this.#anyTypes ? this.#executeIn(stored, op) : this.#run(op);
  }

  #castsOf(op: Op): Casts | undefined {
    const { float16, bfloat16 } = this.#autocasts;
    if (float16 + bfloat16 === 0) return undefined;
    const types = op.inputs.map((id) => NAMES.get(this.#typeOf(id)) ?? "int32");
    return autocastRule(op.name, types, bfloat16 > 0 ? "bfloat16" : "float16");
  }

  /** Runs an op with everything that floats in one type. */
  #executeIn(type: FloatType, op: Op): TensorMetadata[] {
    const key = `${type} ${op.name}`;
    if (!this.#lacking.has(key)) {
      try {
        return this.#runIn(type, op).map(asFloat32);
      } catch (error) {
        if (type === "float32") throw error;
        let outputs: TensorMetadata[];
        try {
          outputs = this.#runIn("float32", op);
        } catch {
          throw error;
        }
        this.#lacking.add(key);
        return outputs.map((output) => asFloat32(this.#castAway(output, type)));
      }
    }
    return this.#runIn("float32", op).map((output) => asFloat32(this.#castAway(output, type)));
  }

  #runIn(type: FloatType, op: Op): TensorMetadata[] {
    const target = NUMBERS[type];
    const casts = op.inputs.map((id) => {
      const own = this.#typeOf(id);
      return own !== target && NAMES.has(own) ? type : undefined;
    });
    return this.#withInputs(
      op,
      casts,
      (inputs) => this.#run({ ...op, inputs, attributes: replaceFloat(op.attributes, target) }),
    );
  }

  /** Casts inputs, runs, and frees the casts. */
  #withInputs(
    op: Op,
    casts: readonly (FloatType | undefined)[],
    run: (inputs: readonly number[]) => TensorMetadata[],
  ): TensorMetadata[] {
    const made = new Map<number, number>();
    try {
      const inputs = op.inputs.map((id, index) => {
        const type = casts[index];
        if (!type) return id;
        let cast = made.get(id);
        if (cast === undefined) made.set(id, cast = this.#cast(id, NUMBERS[type]));
        return cast;
      });
      return run(inputs);
    } finally {
      for (const id of made.values()) this.#binding.deleteTensor(id);
    }
  }

  /** A floating tensor in another type, in whose place it comes. */
  #castAway(tensor: TensorMetadata, type: FloatType): TensorMetadata {
    if (tensor.dtype === NUMBERS[type] || !NAMES.has(tensor.dtype)) return tensor;
    const id = this.#cast(tensor.id, NUMBERS[type]);
    this.#binding.deleteTensor(tensor.id);
    return { id, shape: tensor.shape, dtype: NUMBERS[type] };
  }

  #cast(id: number, type: number): number {
    const attributes = [
      { name: "SrcT", type: AttributeType.TYPE, value: this.#typeOf(id) },
      { name: "DstT", type: AttributeType.TYPE, value: type },
      { name: "Truncate", type: AttributeType.BOOL, value: false },
    ];
    return this.#plain.executeOp("Cast", attributes, [id], 1)[0].id;
  }

  #run({ name, attributes, inputs, numOutputs }: Op): TensorMetadata[] {
    return this.#plain.executeOp(name, attributes, inputs, numOutputs);
  }

  #typeOf(id: number): number {
    const binding = this.#binding;
    return binding.library.api.TFE_TensorHandleDataType(binding.handleOf(id));
  }

  #createTensor(...[shape, dataType, values]: Parameters<Executor["createTensor"]>): number {
    const stored = NUMBERS[this.#storedType];
    if (dataType !== DataType.FLOAT || stored === DataType.FLOAT || !(values instanceof Float32Array)) {
      return this.#plain.createTensor(shape, dataType, values);
    }
    const format = HALVES[stored];
    const converted: NumericArray = format ? toHalfFloats(values, format) : Float64Array.from(values);
    return this.#plain.createTensor(shape, stored, converted);
  }

  #read(id: number): ReturnType<Executor["tensorDataSync"]> {
    const values = this.#plain.tensorDataSync(id);
    if (!this.#anyTypes) return values;
    if (values instanceof Float64Array) return Float32Array.from(values);
    const format = HALVES[this.#typeOf(id)];
    return format ? fromHalfFloats(values as Uint16Array<ArrayBuffer>, format) : values;
  }
}

interface Op {
  readonly name: string;
  readonly attributes: readonly OpAttribute[];
  readonly inputs: readonly number[];
  readonly numOutputs: number;
}

/** The attributes with another type wherever they say float32. */
function replaceFloat(attributes: readonly OpAttribute[], type: number): readonly OpAttribute[] {
  return attributes.map((attribute) =>
    attribute.type === AttributeType.TYPE && attribute.value === DataType.FLOAT
      ? { ...attribute, value: type }
      : attribute
  );
}

/** What TensorFlow.js is told of a tensor: it knows one floating type. */
function asFloat32(tensor: TensorMetadata): TensorMetadata {
  return NAMES.has(tensor.dtype) ? { ...tensor, dtype: DataType.FLOAT } : tensor;
}
