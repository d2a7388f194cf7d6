import assert from "node:assert/strict";
import { detectCluster } from "../../runtime/environments/detect_cluster.ts";
import { detectSlurm } from "../../runtime/environments/detect_slurm.ts";
import { firstSlurmHost, tasksPerNode } from "../../runtime/environments/slurm_node_list.ts";

/** What Slurm 22.05 sets for task 1 of `srun -n 2` in a batch job on one node. */
const ONE_NODE = {
  ...{ SLURM_JOB_ID: "123456", SLURM_STEP_ID: "0", SLURM_JOB_NAME: "train.sh", SLURM_NTASKS: "2", SLURM_NNODES: "1" },
  ...{
    SLURM_PROCID: "1",
    SLURM_LOCALID: "1",
    SLURM_NODEID: "0",
    SLURM_NODELIST: "node7",
    SLURM_STEP_NODELIST: "node7",
  },
  ...{
    SLURM_STEP_NUM_NODES: "1",
    SLURM_STEP_NUM_TASKS: "2",
    SLURM_STEP_TASKS_PER_NODE: "2",
    SLURM_TASKS_PER_NODE: "2",
  },
};
/** Task 4 of 5 on three nodes, two of which have two. */
const THREE_NODES = {
  ...ONE_NODE,
  ...{ SLURM_NTASKS: "5", SLURM_PROCID: "4", SLURM_LOCALID: "0", SLURM_NODEID: "2", SLURM_STEP_NUM_NODES: "3" },
  ...{ SLURM_STEP_TASKS_PER_NODE: "2(x2),1", SLURM_STEP_NODELIST: "node[007-009]" },
};

Deno.test("a task of srun on one node meets the others on loopback, at a port that follows from the job", () => {
  assert.deepEqual(detectCluster(ONE_NODE), {
    ...{ kind: "slurm", rank: 1, localRank: 1, nodeRank: 0, worldSize: 2, localWorldSize: 2, numNodes: 1 },
    ...{ mainAddress: "127.0.0.1", mainPort: 18456, storeIsHosted: false, runId: "slurm-123456.0", generation: 0 },
  });
});

Deno.test("tasks on several nodes know their node; the first node has the store", () => {
  assert.deepEqual(detectSlurm(THREE_NODES), {
    ...{ kind: "slurm", rank: 4, localRank: 0, nodeRank: 2, worldSize: 5, localWorldSize: 1, numNodes: 3 },
    ...{ mainAddress: "node007", mainPort: 18456, storeIsHosted: false, runId: "slurm-123456.0", generation: 0 },
  });
  assert.equal(detectSlurm({ ...THREE_NODES, MASTER_ADDR: "10.0.0.9", MASTER_PORT: "4000" })?.mainAddress, "10.0.0.9");
});

Deno.test("tasks on several nodes need a key", () => {
  assert.throws(
    () => detectCluster(THREE_NODES),
    /5 ranks are on 3 hosts \(slurm.*encrypted.*export WEFT_RUN_KEY_FILE=\$PWD\/run\.key/s,
  );
  assert.equal(detectCluster({ ...THREE_NODES, WEFT_RUN_KEY_FILE: "run.key" }).numNodes, 3);
});

Deno.test("an inherited MASTER_ADDR does not open a run on one node to other hosts", () => {
  assert.equal(detectCluster({ ...ONE_NODE, MASTER_ADDR: "10.0.0.9" }).mainAddress, "127.0.0.1");
});

Deno.test("steps and jobs have ports and names of their own", () => {
  const at = (variables: Record<string, string>) => detectSlurm({ ...ONE_NODE, ...variables })!;
  const clusters = [at({}), at({ SLURM_STEP_ID: "1" }), at({ SLURM_JOB_ID: "123457" })];
  assert.equal(new Set(clusters.map(({ mainPort }) => mainPort)).size, 3);
  assert.equal(new Set(clusters.map(({ runId }) => runId)).size, 3);
  for (const SLURM_JOB_ID of ["1", "9999", "4294901760"]) {
    const { mainPort } = at({ SLURM_JOB_ID, SLURM_STEP_ID: "77" });
    assert(mainPort >= 15000 && mainPort < 25000, `${mainPort}`);
  }
  assert.equal(at({ SLURM_JOB_ID: "" }).mainPort, 12910);
  assert.equal(at({ MASTER_PORT: "4000" }).mainPort, 4000);
  assert.equal(at({ WEFT_MAIN_PORT: "4001" }).mainPort, 4001);
  assert.equal(at({ SLURM_RESTART_COUNT: "3" }).generation, 3);
});

const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(ONE_NODE).filter(([name]) => !names.includes(name)));

const ALONE: [string, Record<string, string>][] = [
  ["outside Slurm", {}],
  ["in a batch script, without srun", without("SLURM_STEP_ID")],
  ["in a shell that srun --pty started", { ...ONE_NODE, SLURM_JOB_NAME: "bash", SLURM_PTY_PORT: "40000" }],
  ["in an interactive job's only task", {
    ...ONE_NODE,
    ...{ SLURM_JOB_NAME: "interactive", SLURM_NTASKS: "1", SLURM_PROCID: "0", SLURM_LOCALID: "0" },
  }],
];
for (const [where, variables] of ALONE) {
  Deno.test(`${where} a process is alone`, () => {
    assert.equal(detectSlurm(variables), undefined);
    assert.equal(detectCluster(variables).kind, "local");
  });
}

Deno.test("srun -n 2 bash -c … starts ranks although its job is named bash", () => {
  assert.equal(detectSlurm({ ...ONE_NODE, SLURM_JOB_NAME: "bash" })?.rank, 1);
});

Deno.test("ranks that a launcher started inside a job are the launcher's", () => {
  const launched = { ...ONE_NODE, RANK: "0", WORLD_SIZE: "1", WEFT_RUN_ID: "abc", MASTER_ADDR: "127.0.0.1" };
  assert.equal(detectCluster(launched).kind, "launcher");
});

Deno.test("the number of tasks on a node is --ntasks-per-node where Slurm tells no more", () => {
  const names = ["SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"];
  assert.equal(detectSlurm({ ...without(...names), SLURM_NTASKS_PER_NODE: "2" })?.localWorldSize, 2);
  assert.equal(detectSlurm(without(...names))?.localWorldSize, 2);
});

const CONTRADICTIONS: [string, Record<string, string>, RegExp][] = [
  ["a task without a number", without("SLURM_PROCID"), /SLURM_PROCID is missing/],
  ["a task beyond the last", { ...ONE_NODE, SLURM_PROCID: "2" }, /SLURM_PROCID=2 must be less than SLURM_NTASKS=2/],
  [
    "a node beyond the last",
    { ...ONE_NODE, SLURM_NODEID: "1" },
    /SLURM_NODEID=1 must be less than the number of nodes=1/,
  ],
  ["a local number beyond the node's tasks", { ...ONE_NODE, SLURM_LOCALID: "2" }, /SLURM_LOCALID=2 must be less/],
  ["a number that is none", { ...ONE_NODE, SLURM_NTASKS: "two" }, /SLURM_NTASKS=two must be an integer/],
  [
    "tasks per node that do not add up",
    { ...ONE_NODE, SLURM_STEP_TASKS_PER_NODE: "3" },
    /2 tasks \(SLURM_NTASKS\) on 1 nodes.*are 3 on 1\. HINT: use `--nodes=1 --ntasks-per-node=2`/s,
  ],
  [
    "--ntasks-per-node that contradicts --ntasks",
    { ...without("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"), SLURM_NTASKS_PER_NODE: "4" },
    /do not fit\. HINT: leave out `--ntasks` and use `--nodes=1 --ntasks-per-node=2`/,
  ],
];
for (const [what, variables, message] of CONTRADICTIONS) {
  Deno.test(`${what} in Slurm's variables is an error`, () => {
    assert.throws(() => detectSlurm(variables), message);
  });
}

const LISTS: [string, string][] = [
  ["alpha beta gamma", "alpha"],
  ["alpha,beta,gamma", "alpha"],
  ["alpha", "alpha"],
  ["1.2.3.[089, 100-110]", "1.2.3.089"],
  ["1.2.3.4", "1.2.3.4"],
  ["host[5-9,1]", "host5"],
  ["host[22]", "host22"],
  ["alpha[3,1], beta", "alpha3"],
  ["rack[0-1]n[02-04],login", "rack0n02"],
  ["node[001-128]-ib,x", "node001-ib"],
];
for (const [list, host] of LISTS) {
  Deno.test(`the first host of ${list} is ${host}`, () => assert.equal(firstSlurmHost(list), host));
}

Deno.test("a list of hosts or tasks that cannot be read is an error that shows it", () => {
  for (const list of ["", " ", "host[1-4", "[", ",a"]) assert.throws(() => firstSlurmHost(list), RangeError, list);
  for (const notation of ["", "two", "2(x", "2(x3", "-1", "1(x9999999),2"]) {
    assert.throws(() => tasksPerNode(notation), /cannot be read/, notation);
  }
  assert.deepEqual(tasksPerNode("2(x3),1"), [2, 2, 2, 1]);
});
