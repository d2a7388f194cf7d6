/**
 * The one TensorFlow.js of the process. Everything here and everything users write imports it from this file (or as `tf` from
 * mod.ts): two copies would have two engines.
 */
import "./random_ops.ts"; // before the next line, which reads tfjs's exports
import * as tf from "npm:@tensorflow/tfjs@4.22.0";
import { keepDeepStacks } from "../core/deep_stacks.ts";

keepDeepStacks();

// tfjs advertises its native addon on first use under Node; here the accelerator is ours to name.
tf.env().set("PROD", true);

export { tf };
