/**
 * tfjs draws the numbers of its random operations in JavaScript, one by one, and sends them to the device: a mask of dropout costs more than
 * the layer. An accelerator that can draw them itself registers here, and is asked in its place while a step trains.
 *
 * This file is loaded before TensorFlow.js, whose exports are read once: hence it imports none of it but the part that it changes.
 */
import * as namespace from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Tensor } from "npm:@tensorflow/tfjs-core@4.22.0";

type Shape = number[];
type Dtype = "float32" | "int32" | "bool";

/** Draws on the device. Each call draws anew, seeded from `Math.random`. */
export interface DeviceRandom {
  /** Whether to draw on the device at this moment. */
  inUse(): boolean;
  /** Evenly from 0 to 1, without 1. */
  uniform(shape: Shape): Tensor;
  /** From the standard normal distribution. */
  normal(shape: Shape): Tensor;
  /** From the standard normal distribution, between −2 and 2. */
  truncatedNormal(shape: Shape): Tensor;
}

/** The part of tfjs-core that is replaced. */
interface Core {
  randomUniform(shape: Shape, min?: number, max?: number, dtype?: Dtype, seed?: number | string): Tensor;
  randomUniformInt(shape: Shape, min: number, max: number, seed?: number | string): Tensor;
  randomNormal(shape: Shape, mean?: number, deviation?: number, dtype?: Dtype, seed?: number): Tensor;
  randomStandardNormal(shape: Shape, dtype?: Dtype, seed?: number): Tensor;
  truncatedNormal(shape: Shape, mean?: number, deviation?: number, dtype?: Dtype, seed?: number): Tensor;
  dropout(x: Tensor, rate: number, noiseShape?: (number | null)[], seed?: number | string): Tensor;
  tidy<T>(f: () => T): T;
}

const core = (namespace as unknown as { default: Core }).default;
const original = { ...core };
let device: DeviceRandom | undefined;

/** Registers who draws; undefined: tfjs does. */
export function setDeviceRandom(random: DeviceRandom | undefined): void {
  device = random;
}

/** A seed that is given asks for tfjs's own numbers, which are the same in every step. */
function drawing(seed: unknown, dtype: Dtype = "float32"): DeviceRandom | undefined {
  return !seed && dtype !== "bool" && device?.inUse() ? device : undefined;
}

function scaled(unit: Tensor, { factor, offset, dtype }: { factor: number; offset: number; dtype?: Dtype }): Tensor {
  const product = factor === 1 ? unit : unit.mul(factor);
  const sum = offset === 0 ? product : product.add(offset);
  return dtype === "int32" ? sum.toInt() : sum;
}

core.randomUniform = (shape, min = 0, max = 1, dtype = "float32", seed) => {
  const random = drawing(seed, dtype);
  if (!random) return original.randomUniform(shape, min, max, dtype, seed);
  return core.tidy(() => scaled(random.uniform(shape), { factor: max - min, offset: min, dtype }));
};

core.randomUniformInt = (shape, min, max, seed) => core.randomUniform(shape, min, max, "int32", seed);

core.randomNormal = (shape, mean = 0, deviation = 1, dtype, seed) => {
  const random = drawing(seed, dtype);
  if (!random) return original.randomNormal(shape, mean, deviation, dtype, seed);
  return core.tidy(() => scaled(random.normal(shape), { factor: deviation, offset: mean, dtype }));
};

core.randomStandardNormal = (shape, dtype, seed) => core.randomNormal(shape, 0, 1, dtype, seed);

core.truncatedNormal = (shape, mean = 0, deviation = 1, dtype, seed) => {
  const random = drawing(seed, dtype);
  if (!random) return original.truncatedNormal(shape, mean, deviation, dtype, seed);
  return core.tidy(() => scaled(random.truncatedNormal(shape), { factor: deviation, offset: mean, dtype }));
};

core.dropout = (x, rate, noiseShape, seed) => {
  const random = drawing(seed);
  // What is wrong or has nothing to draw is tfjs's to answer.
  if (!random || !(rate > 0 && rate < 1) || x?.dtype !== "float32") {
    return original.dropout(x, rate, noiseShape, seed);
  }
  const keep = 1 - rate;
  return core.tidy(() => x.mul(random.uniform(maskShape(x, noiseShape)).add(keep).floor().div(keep)));
};

function maskShape(x: Tensor, noiseShape: (number | null)[] | undefined): Shape {
  if (!noiseShape) return x.shape;
  if (noiseShape.length !== x.shape.length) return noiseShape as Shape;
  return noiseShape.map((size, i) => size ?? x.shape[i]);
}
