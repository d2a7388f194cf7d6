import assert from "node:assert/strict";
import { closeToNetwork } from "../../../runtime/accelerators/tensorflow/close_to_network.ts";
import { CASES } from "../../comm/process_group_suite.ts";
import { inProcesses } from "../../comm/rank_processes.ts";
import { tensorflowTest } from "./only_with_tensorflow.ts";

interface Told {
  name: string;
  message: string;
  facts?: { rank: number };
}

const engine = "tensorflow";

for (const worldSize of [2, 3]) {
  tensorflowTest(`${worldSize} processes that TensorFlow reduces for do all that a process group does`, async () => {
    const results = await inProcesses(worldSize, { engine });
    for (const result of results) {
      assert.deepEqual(result, results[0]);
      assert.deepEqual(Object.keys(result), Object.keys(CASES));
    }
  });
}

tensorflowTest("a proxy that the environment names does not come between ranks", async () => {
  const results = await inProcesses(2, { engine, env: { http_proxy: "http://127.0.0.1:9" } });
  for (const result of results) assert.deepEqual(Object.keys(result), Object.keys(CASES));
});

tensorflowTest("ranks that disagree learn who called what before TensorFlow is asked", async () => {
  const scene = "one rank calls something else";
  for (const result of await inProcesses(2, { engine, scene })) {
    const told = result[scene] as Told;
    assert.equal(told.name, "CollectiveMismatchError");
    assert.match(told.message, /rank 0: allReduce \(sum\) of 4 float32 at .*process_group_scenes\.ts/);
    assert.match(told.message, /rank 1: broadcast \(root 0\) of 4 float32/);
  }
});

tensorflowTest("a rank that aborts, and one that does not come, are named where TensorFlow reduces", async () => {
  const abort = "one rank aborts while the others wait", late = "one rank does not come";
  const [aborted, waited] = [
    await inProcesses(2, { engine, scene: abort }),
    await inProcesses(2, { engine, scene: late }),
  ];
  const told = aborted[0][abort] as Told;
  assert.equal(told.name, "RankFailedError");
  assert.equal(told.facts?.rank, 1);
  assert.match((waited[0][late] as Told).message, /waited 0\.2 s in allReduce \(sum\) of 1 float32.*from rank 1/);
});

tensorflowTest("ranks choose other ports for TensorFlow if one is taken, until they have tried five", async () => {
  const scene = "all ranks reduce";
  const results = await inProcesses(2, { engine, scene, takenPorts: 2 });
  assert.deepEqual(results, [{ [scene]: 3, taken: 0 }, { [scene]: 3, taken: 2 }]);
  const [zero, one] = (await inProcesses(2, { engine, scene, takenPorts: 99 })) as { error: Told; taken: number }[];
  assert.equal(one.taken, 5);
  assert.match(one.error.message, /^TensorFlow cannot start its server at 127\.0\.0\.1:\d+: /);
  assert.deepEqual([zero.error.name, zero.error.facts?.rank], ["RankFailedError", 1]);
});

Deno.test({
  name: "a server that listens on all interfaces is tied to the loopback device, and still serves this host",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    assert.equal(closeToNetwork(port), 1);
    const [client, server] = await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
    client.close();
    server.close();
    listener.close();
    assert.equal(closeToNetwork(port), 0, "nobody listens there any more");
  },
});
