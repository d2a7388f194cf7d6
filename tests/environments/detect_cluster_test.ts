import assert from "node:assert/strict";
import { childEnvironment } from "../../runtime/environments/child_environment.ts";
import { detectCluster } from "../../runtime/environments/detect_cluster.ts";
import { detectLocal, detectTorchrun } from "../../runtime/environments/detectors.ts";
import { readSettings } from "../../runtime/environments/settings.ts";

const TORCHRUN = {
  RANK: "3",
  LOCAL_RANK: "1",
  WORLD_SIZE: "4",
  LOCAL_WORLD_SIZE: "2",
  GROUP_RANK: "1",
  GROUP_WORLD_SIZE: "2",
  MASTER_ADDR: "10.0.0.1",
  MASTER_PORT: "29400",
  TORCHELASTIC_RUN_ID: "job7",
  TORCHELASTIC_RESTART_COUNT: "2",
};

Deno.test("without variables the process is alone", () => {
  const cluster = detectCluster({});
  assert.equal(cluster.kind, "local");
  assert.deepEqual([cluster.rank, cluster.worldSize, cluster.numNodes], [0, 1, 1]);
  assert(Object.isFrozen(cluster));
});

Deno.test("torchrun's variables say who the rank is, on which of two hosts", () => {
  assert.deepEqual(detectTorchrun(TORCHRUN), {
    kind: "torchrun",
    rank: 3,
    localRank: 1,
    nodeRank: 1,
    worldSize: 4,
    localWorldSize: 2,
    numNodes: 2,
    mainAddress: "10.0.0.1",
    mainPort: 29400,
    storeIsHosted: false,
    runId: "job7",
    generation: 2,
  });
});

Deno.test("the store moves to the next port where torchrun's agent holds the first", () => {
  assert.equal(detectTorchrun({ ...TORCHRUN, TORCHELASTIC_USE_AGENT_STORE: "True" })?.mainPort, 29401);
  const last = { ...TORCHRUN, TORCHELASTIC_USE_AGENT_STORE: "True", MASTER_PORT: "65535" };
  assert.equal(detectTorchrun(last)?.mainPort, 65534);
});

Deno.test("RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are enough on one host", () => {
  const cluster = detectCluster({ RANK: "1", WORLD_SIZE: "3", MASTER_ADDR: "127.0.0.1", MASTER_PORT: "5000" });
  assert.deepEqual([cluster.localRank, cluster.localWorldSize, cluster.nodeRank, cluster.numNodes], [1, 3, 0, 1]);
});

Deno.test("what the launcher sets for a child is what the child reads", () => {
  const cluster = {
    ...{ rank: 2, localRank: 0, nodeRank: 1, worldSize: 4, localWorldSize: 2, numNodes: 2 },
    ...{ mainAddress: "127.0.0.1", mainPort: 4321, storeIsHosted: true, runId: "abc", generation: 1 },
  };
  const settings = {
    ...{ accelerator: "wasm", strategy: "ddp", devices: "0,1", numNodes: 2, precision: "32-true", timeoutSeconds: 1.5 },
    ...{ rendezvousTimeoutSeconds: 9, maxRestarts: 3, terminalColumns: 120, pageFile: "/tmp/page", launcherPid: 77 },
    ...{ launchedBy: "command line" as const, silencedWarnings: ["a", "b"], libzmqPath: "/lib/zmq.so", seed: 7 },
    seedWorkers: false,
    ...{ heartbeatTimeoutSeconds: 3, socketFolder: "/tmp/s", checkpointRecord: "/tmp/c", preemptionSignal: "SIGUSR2" },
    requeue: false,
    ...{ runKey: "0f".repeat(32), runKeyFile: "/tmp/key" },
  };
  const variables = childEnvironment({ cluster, settings, cudaDevice: "GPU-3" });
  assert.deepEqual(detectCluster(variables), { kind: "launcher", ...cluster });
  assert.deepEqual(readSettings(variables), settings);
  assert.equal(variables.CUDA_VISIBLE_DEVICES, "GPU-3");
});

Deno.test("a child does not inherit a setting that its launcher was not given", () => {
  const variables = {
    WEFT_DEVICES: "8",
    ...childEnvironment({ cluster: detectLocal(), settings: { silencedWarnings: [] } }),
  };
  assert.equal(readSettings(variables).devices, undefined);
  assert.equal("CUDA_VISIBLE_DEVICES" in variables, false);
});

Deno.test("ranks that torchrun started on one host meet on loopback, whatever it calls the host", () => {
  const oneHost = {
    RANK: "1",
    WORLD_SIZE: "2",
    LOCAL_WORLD_SIZE: "2",
    MASTER_ADDR: "box.example",
    MASTER_PORT: "5000",
  };
  assert.equal(detectCluster(oneHost).mainAddress, "127.0.0.1");
});

Deno.test("ranks on several hosts are refused without a key, because their sockets would be open to everyone", () => {
  assert.throws(
    () => detectCluster(TORCHRUN),
    /4 ranks are on 2 hosts \(torchrun, main address 10\.0\.0\.1\).*encrypted.*openssl rand -hex 32.*WEFT_RUN_KEY_FILE/,
  );
  const launched = childEnvironment({
    cluster: { ...detectLocal(), worldSize: 2, numNodes: 2, mainAddress: "10.0.0.1", mainPort: 5000, runId: "a" },
    settings: { silencedWarnings: [] },
  });
  assert.throws(() => detectCluster(launched), /2 ranks are on 2 hosts \(launcher.*--key-file run\.key/);
  assert.equal(detectCluster({ ...launched, WEFT_RUN_KEY: "0f".repeat(32) }).numNodes, 2);
  assert.equal(detectCluster({ ...TORCHRUN, WEFT_RUN_KEY_FILE: "run.key" }).numNodes, 2);
  const unknown = { RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "10.0.0.1", MASTER_PORT: "5000" };
  assert.throws(() => detectCluster(unknown), /10\.0\.0\.1 of 2 ranks.*MASTER_ADDR=127\.0\.0\.1 does without a key/s);
  assert.equal(detectCluster({ ...unknown, MASTER_ADDR: "127.0.0.1" }).worldSize, 2);
  assert.equal(detectCluster({ ...unknown, RANK: "0", WORLD_SIZE: "1" }).worldSize, 1);
});

const CONTRADICTIONS: [string, Record<string, string>, RegExp][] = [
  ["a rank that is not below the world size", { ...TORCHRUN, RANK: "4" }, /RANK=4 must be less than WORLD_SIZE=4/],
  ["a world size that is no number", { ...TORCHRUN, WORLD_SIZE: "abc" }, /WORLD_SIZE=abc must be an integer/],
  ["a world size of zero", { ...TORCHRUN, WORLD_SIZE: "0" }, /WORLD_SIZE=0 must be an integer of at least 1/],
  ["a negative rank", { ...TORCHRUN, RANK: "-1" }, /RANK=-1 must be an integer/],
  [
    "a local rank beyond the host",
    { ...TORCHRUN, LOCAL_RANK: "2" },
    /LOCAL_RANK=2 must be less than LOCAL_WORLD_SIZE=2/,
  ],
  [
    "a host larger than the world",
    { ...TORCHRUN, LOCAL_WORLD_SIZE: "9" },
    /LOCAL_WORLD_SIZE=9 is larger than WORLD_SIZE=4/,
  ],
  ["a host that is not there", { ...TORCHRUN, GROUP_RANK: "5" }, /GROUP_RANK=5 must be less/],
  ["a local rank above the global one", { ...TORCHRUN, RANK: "0" }, /LOCAL_RANK=1 is larger than RANK=0/],
  [
    "a port that is none",
    { ...TORCHRUN, MASTER_PORT: "70000" },
    /MASTER_PORT=70000 must be an integer from 1 to 65535/,
  ],
  ["a rank without a world size", { RANK: "0" }, /WORLD_SIZE is missing beside RANK=0/],
  ["a world size without a rank", { WORLD_SIZE: "2" }, /RANK is missing beside WORLD_SIZE=2/],
  ["ranks without an address", { RANK: "0", WORLD_SIZE: "2" }, /MASTER_ADDR is missing/],
];
for (const [what, variables, message] of CONTRADICTIONS) {
  Deno.test(`${what} is an error that names variable and value`, () => {
    assert.throws(() => detectCluster(variables), message);
  });
}

Deno.test("a detector put in front decides", () => {
  const cluster = detectCluster(TORCHRUN, [
    () => undefined,
    () => ({ ...detectLocal(), kind: "slurm" }),
    detectTorchrun,
  ]);
  assert.equal(cluster.kind, "slurm");
  assert.throws(() => detectCluster({}, []), /detectLocal/);
});
