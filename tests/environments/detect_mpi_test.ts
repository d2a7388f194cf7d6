import assert from "node:assert/strict";
import { detectCluster } from "../../runtime/environments/detect_cluster.ts";
import { detectMpi } from "../../runtime/environments/detect_mpi.ts";

/** What Open MPI 4.1 sets for rank 1 of `mpirun -n 2`. */
const ONE_HOST = {
  ...{ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_LOCAL_RANK: "1" },
  ...{ OMPI_COMM_WORLD_LOCAL_SIZE: "2", OMPI_COMM_WORLD_NODE_RANK: "1", PMIX_NAMESPACE: "403636225" },
};
const TWO_HOSTS = {
  ...{ OMPI_COMM_WORLD_RANK: "3", OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_LOCAL_RANK: "1" },
  ...{ OMPI_COMM_WORLD_LOCAL_SIZE: "2", PMIX_NAMESPACE: "prterun-box-4242@1" },
};

Deno.test("a process of mpirun on one host meets the others on loopback, at a port that follows from the job", () => {
  const { mainPort, ...cluster } = detectCluster(ONE_HOST);
  assert.deepEqual(cluster, {
    ...{ kind: "mpi", rank: 1, localRank: 1, nodeRank: 0, worldSize: 2, localWorldSize: 2, numNodes: 1 },
    ...{ mainAddress: "127.0.0.1", storeIsHosted: false, runId: "mpi-403636225", generation: 0 },
  });
  assert(mainPort >= 15000 && mainPort < 25000);
  assert.equal(detectCluster({ ...ONE_HOST, OMPI_COMM_WORLD_RANK: "0" }).mainPort, mainPort);
  assert.notEqual(detectCluster({ ...ONE_HOST, PMIX_NAMESPACE: "403636226" }).mainPort, mainPort);
  assert.equal(detectCluster({ ...ONE_HOST, MASTER_PORT: "4000" }).mainPort, 4000);
  assert.equal(detectCluster({ ...ONE_HOST, PMIX_NAMESPACE: "" }).mainPort, 12910);
  assert.equal(detectCluster({ ...ONE_HOST, MASTER_ADDR: "10.0.0.9" }).mainAddress, "127.0.0.1");
});

Deno.test("on several hosts rank 0's address must be told, and a key", () => {
  assert.throws(() => detectMpi(TWO_HOSTS), /2 hosts.*set MASTER_ADDR/s);
  const told = { ...TWO_HOSTS, MASTER_ADDR: "box1" };
  const { rank, nodeRank, numNodes, mainAddress } = detectMpi(told)!;
  assert.deepEqual({ rank, nodeRank, numNodes, mainAddress }, {
    ...{ rank: 3, nodeRank: 1, numNodes: 2, mainAddress: "box1" },
  });
  assert.throws(() => detectCluster(told), /4 ranks are on 2 hosts \(mpi.*mpirun -x WEFT_RUN_KEY_FILE=/s);
  assert.equal(detectCluster({ ...told, WEFT_RUN_KEY_FILE: "run.key" }).numNodes, 2);
});

Deno.test("hosts with different numbers of ranks agree on how many hosts there are", () => {
  const three = { ...TWO_HOSTS, OMPI_COMM_WORLD_SIZE: "3", OMPI_MCA_orte_num_nodes: "2", MASTER_ADDR: "box1" };
  const numbers = [["0", "0", "1"], ["1", "0", "2"], ["2", "1", "2"]].map(([rank, localRank, localSize]) =>
    detectMpi({
      ...{ ...three, OMPI_COMM_WORLD_RANK: rank, OMPI_COMM_WORLD_LOCAL_RANK: localRank },
      OMPI_COMM_WORLD_LOCAL_SIZE: localSize,
    })!.numNodes
  );
  assert.deepEqual(numbers, [2, 2, 2]);
});

Deno.test("a single process of mpirun is alone", () => {
  assert.equal(detectCluster({ ...ONE_HOST, OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" }).kind, "local");
});

Deno.test("mpirun inside a Slurm job decides, not the one Slurm task that it runs in", () => {
  const slurm = { SLURM_NTASKS: "2", SLURM_PROCID: "0", SLURM_LOCALID: "0", SLURM_NODEID: "0", SLURM_STEP_ID: "0" };
  const cluster = detectCluster({ ...slurm, ...ONE_HOST });
  assert.deepEqual([cluster.kind, cluster.rank], ["mpi", 1]);
});

const CONTRADICTIONS: [Record<string, string>, RegExp][] = [
  [{ OMPI_COMM_WORLD_RANK: "" }, /OMPI_COMM_WORLD_RANK is missing/],
  [{ OMPI_COMM_WORLD_RANK: "2" }, /OMPI_COMM_WORLD_RANK=2 must be less than OMPI_COMM_WORLD_SIZE=2/],
  [{ OMPI_COMM_WORLD_LOCAL_RANK: "2" }, /LOCAL_RANK=2 must be less than OMPI_COMM_WORLD_LOCAL_SIZE=2/],
  [{ OMPI_COMM_WORLD_LOCAL_SIZE: "3" }, /LOCAL_SIZE=3 is larger than OMPI_COMM_WORLD_SIZE=2/],
  [{ OMPI_COMM_WORLD_SIZE: "x" }, /OMPI_COMM_WORLD_SIZE=x must be an integer/],
  [{ MASTER_PORT: "0" }, /MASTER_PORT=0 must be an integer from 1 to 65535/],
];
for (const [changed, message] of CONTRADICTIONS) {
  Deno.test(`${JSON.stringify(changed)} contradicts the rest of Open MPI's variables`, () => {
    assert.throws(() => detectMpi({ ...ONE_HOST, ...changed }), message);
  });
}
