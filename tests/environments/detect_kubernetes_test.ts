import assert from "node:assert/strict";
import { detectCluster } from "../../runtime/environments/detect_cluster.ts";
import { detectKubernetes } from "../../runtime/environments/detect_kubernetes.ts";

const POD = { JOB_COMPLETION_INDEX: "2", WEFT_NUM_NODES: "4", MASTER_ADDR: "train-0.train" };

Deno.test("a pod of an Indexed Job is a host with one rank, numbered by its index", () => {
  assert.deepEqual(detectKubernetes(POD), {
    ...{ kind: "kubernetes", rank: 2, localRank: 0, nodeRank: 2, worldSize: 4, localWorldSize: 1, numNodes: 4 },
    ...{ mainAddress: "train-0.train", mainPort: 12910, storeIsHosted: false, runId: "kubernetes-train-0.train" },
    generation: 0,
  });
  assert.equal(detectKubernetes({ ...POD, MASTER_PORT: "29500" })?.mainPort, 29500);
  assert.equal(detectKubernetes({ ...POD, WEFT_RUN_ID: "uid" })?.runId, "uid");
});

Deno.test("several pods need a key", () => {
  assert.throws(() => detectCluster(POD), /4 ranks are on 4 hosts \(kubernetes.*WEFT_RUN_KEY, from a Secret/s);
  assert.equal(detectCluster({ ...POD, WEFT_RUN_KEY: "0f".repeat(32) }).numNodes, 4);
});

Deno.test("an index alone does not join pods: many runs beside each other have one too", () => {
  assert.equal(detectCluster({ JOB_COMPLETION_INDEX: "2" }).kind, "local");
  assert.equal(detectCluster({ JOB_COMPLETION_INDEX: "0", WEFT_NUM_NODES: "1" }).kind, "local");
});

Deno.test("pods that contradict each other, or do not know pod 0, are told so", () => {
  assert.throws(() => detectKubernetes({ ...POD, WEFT_NUM_NODES: "2" }), /JOB_COMPLETION_INDEX=2 must be less/);
  assert.throws(() => detectKubernetes({ ...POD, MASTER_ADDR: "" }), /4 hosts.*set MASTER_ADDR/s);
  assert.throws(() => detectKubernetes({ ...POD, JOB_COMPLETION_INDEX: "x" }), /JOB_COMPLETION_INDEX=x/);
});
