/** Who this process is among all that train together. Made once, from the environment, and never changed. */
export interface ClusterInfo {
  /** What started the process: `local` means nothing did, it is alone until `fabric.launch()` starts others. */
  readonly kind: "local" | "launcher" | "torchrun" | "slurm" | "mpi" | "kubernetes";
  /** Global rank, 0 to worldSize - 1. */
  readonly rank: number;
  /** Rank on this host, 0 to localWorldSize - 1. */
  readonly localRank: number;
  /** Which host this is, 0 to numNodes - 1. */
  readonly nodeRank: number;
  readonly worldSize: number;
  readonly localWorldSize: number;
  readonly numNodes: number;
  /** Where the key-value store listens. */
  readonly mainAddress: string;
  readonly mainPort: number;
  /** True if the launcher hosts the store at mainAddress:mainPort; otherwise rank 0 must. */
  readonly storeIsHosted: boolean;
  /** Names the run, so that two runs that meet by accident notice. */
  readonly runId: string;
  /** How often the run was restarted: messages of an earlier generation are dropped. */
  readonly generation: number;
}
