/** Two ranks that reduce 64 MB by TensorFlow again and again, until rank 1 is killed while a reduction is under way. */
import { Fabric, tf } from "../../../mod.ts";

const fabric = new Fabric({ accelerator: "cpu" });
await fabric.launch();
const gradients = tf.ones([1 << 24]);
await fabric.allReduce(gradients);
// The first has shown how long one takes; half of that later the next is on its way.
const begun = performance.now();
await fabric.allReduce(gradients);
const halfMs = (performance.now() - begun) / 2;
if (fabric.globalRank === 1) setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), halfMs);
for (;;) await fabric.allReduce(gradients);
