import util from "node:util";
import { setDeviceRandom } from "../../tensor/random_ops.ts";
import { tf } from "../../tensor/tf.ts";
import type { TensorflowBinding } from "./binding.ts";
import { deviceRandom } from "./device_random.ts";
import { installGatherKernel } from "./gather_kernel.ts";

/** What is used here of the package's `NodeJSKernelBackend`. */
type NodeBackend = new (binding: TensorflowBinding, packageName: string) => ReturnType<typeof tf.backend>;

/** What the package's kernels and its SavedModel code look the backend up by. */
export const BACKEND_NAME = "tensorflow";

/** Put together where it is used, so that whoever never chooses TensorFlow does not download the package. */
const PACKAGE = "npm:@tensorflow/tfjs-node-gpu@4.22.0";

/**
 * Makes a binding tfjs's backend, under the kernels of the npm package `@tensorflow/tfjs-node-gpu`: the JavaScript half of it, whose
 * addon is neither downloaded nor loaded.
 * @throws Error if the package cannot be loaded
 */
export async function installBackend(binding: TensorflowBinding): Promise<void> {
  restoreNodeUtil();
  let NodeJSKernelBackend: NodeBackend;
  try {
    NodeJSKernelBackend = (await import(`${PACKAGE}/dist/nodejs_kernel_backend.js`)).default.NodeJSKernelBackend;
    await import(`${PACKAGE}/dist/register_all_kernels.js`);
  } catch (cause) {
    throw new Error(
      `cannot load ${PACKAGE}: ${
        cause instanceof Error ? cause.message : cause
      }. Without a network, run \`deno cache ${PACKAGE}\` on a ` +
        "machine that has one, and copy Deno's cache",
      { cause },
    );
  }
  // Its other name means the CPU package; both kernels are the same, and the name is for a hint that it prints.
  tf.registerBackend(BACKEND_NAME, () => new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node"), 10);
  if (!await tf.setBackend(BACKEND_NAME)) throw new Error("TensorFlow.js could not start its tensorflow backend");
  installGatherKernel(binding);
  setDeviceRandom(deviceRandom(binding));
}

/** The package calls two functions that Node 23 removed from `node:util`. */
function restoreNodeUtil(): void {
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
}
