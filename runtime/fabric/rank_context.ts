import { countUsableDevices } from "../../launcher/count_usable_devices.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { resolveStrategy } from "../../strategies/resolve.ts";
import type { Strategy, Synchronizer } from "../../strategies/strategy.ts";
import type { LoadedAccelerator } from "../accelerators/accelerator.ts";
import { selectAccelerator } from "../accelerators/select_accelerator.ts";
import { joinMemoryGroup } from "../comm/join_memory_group.ts";
import { joinProcessGroup } from "../comm/join_process_group.ts";
import type { ProcessGroup } from "../comm/process_group.ts";
import { setLibzmqPath } from "../comm/libzmq_library.ts";
import { StoreServer } from "../comm/store_server.ts";
import type { Store } from "../comm/store.ts";
import { type ConnectedStore, connectStore } from "../comm/connect_store.ts";
import { activity, MEETING } from "../core/activity.ts";
import { milliseconds } from "../core/duration.ts";
import { HEARTBEAT_MS } from "../core/heartbeat.ts";
import { info, setSpeakingRank, silenceWarnings } from "../core/messages.ts";
import { selectDevices } from "../devices/select_devices.ts";
import { isLoopback } from "../core/loopback.ts";
import type { ClusterInfo } from "../environments/cluster_info.ts";
import { readRunKey } from "../environments/read_run_key.ts";
import type { Settings } from "../environments/settings.ts";
import { GradScaler } from "../precision/grad_scaler.ts";
import { fullPrecision, type PrecisionInUse } from "../precision/precision_in_use.ts";
import { resolvePrecision } from "../precision/resolve_precision.ts";
import type { Precision } from "../precision/precision.ts";
import { forkRandom } from "../seed/seed_everything.ts";
import { Device } from "./device.ts";
import { groupWatch } from "./group_watch.ts";
import { checkSameProgram, ownProgram } from "./same_program.ts";
import { missingPermissions } from "../tensorflow_library/missing_permissions.ts";
import type { FabricConfig } from "./options.ts";

/** What a rank has once it is started: its device, its ranks, its strategy. */
export interface RankContext extends AsyncDisposable {
  readonly device: Device;
  readonly accelerator: LoadedAccelerator;
  readonly precision: Precision;
  /** How it is computed in. */
  readonly precisionInUse: PrecisionInUse;
  /** The loss's scale, in `16-mixed`. */
  readonly scaler: GradScaler | undefined;
  readonly group: ProcessGroup;
  /** The run's key-value store; undefined for a run of one rank that nothing started. */
  readonly store: Store | undefined;
  readonly strategy: Strategy;
  /** What ranks tell each other along with the gradients. */
  readonly flags: RankFlags;
  readonly synchronizer: Synchronizer;
}

/**
 * How many ranks the configuration and the environment together mean.
 * @throws RangeError if the code asks for another number than the environment has
 */
export async function plannedWorldSize(config: FabricConfig, cluster: ClusterInfo): Promise<number> {
  if (cluster.kind !== "local" && config.devices === "auto") return cluster.worldSize;
  const { indices } = await selectDevices({
    accelerator: config.accelerator,
    devices: config.devices,
    count: countUsableDevices,
  });
  const worldSize = indices.length * config.numNodes;
  if (cluster.kind !== "local" && worldSize !== cluster.worldSize) {
    throw new RangeError(
      `You set \`devices: ${JSON.stringify(config.devices)}\` and \`numNodes: ${config.numNodes}\`, but the product ` +
        `(${indices.length} * ${config.numNodes}) does not match the world size of the environment (${cluster.worldSize}). ` +
        `Start ${worldSize} ranks, or leave \`devices\` out.`,
    );
  }
  return worldSize;
}

/** Loads the accelerator and meets the other ranks. Waits until all have come. */
export async function startRank(config: FabricConfig, settings: Settings, cluster: ClusterInfo): Promise<RankContext> {
  setSpeakingRank(cluster.rank);
  silenceWarnings(...settings.silencedWarnings);
  if (settings.libzmqPath) setLibzmqPath(settings.libzmqPath);
  const accelerator = await selectAccelerator(config.accelerator);
  const precision = resolvePrecision(config.precision, {
    accelerator: config.accelerator === "auto" ? accelerator.name : config.accelerator,
    supported: accelerator.capabilities.precisions,
  });
  const strategy = resolveStrategy(config.strategy, cluster.worldSize);
  const deviceIndex = accelerator.name === "cuda" ? cluster.localRank : 0;
  const loaded = await accelerator.load({ deviceIndex, localWorldSize: cluster.localWorldSize });
  await using undo = new AsyncDisposableStack();
  undo.use(loaded);
  const precisionInUse = undo.use(loaded.usePrecision?.(precision) ?? fullPrecision);
  if (precision === "16-mixed") info("Using 16-bit Automatic Mixed Precision (AMP)");
  if (precision === "bf16-mixed") info("Using bfloat16 Automatic Mixed Precision (AMP)");
  const engine = cluster.worldSize > 1 ? await reduceEngine(config, { loaded, cluster, strategy }) : undefined;
  const { group, store } = await meet(settings, { cluster, engine }, undo);
  if (cluster.worldSize > 1) {
    forkRandom(cluster.rank);
    info(
      `Distributed: ${cluster.worldSize} ranks on ${cluster.numNodes} host${
        cluster.numNodes > 1 ? "s" : ""
      }, strategy ${strategy.name}${engine ? ", gradients reduced by TensorFlow" : ""}`,
    );
  }
  const flags = new RankFlags();
  const held = undo.move();
  return {
    device: new Device(accelerator.name, deviceIndex),
    accelerator: loaded,
    precision,
    precisionInUse,
    scaler: precision === "16-mixed" ? new GradScaler() : undefined,
    group,
    store,
    strategy,
    flags,
    synchronizer: strategy.connect(group, flags),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function meet(
  settings: Settings,
  { cluster, engine }: { cluster: ClusterInfo; engine: LoadedAccelerator["reduceEngine"] },
  undo: AsyncDisposableStack,
): Promise<Pick<RankContext, "group" | "store">> {
  if (cluster.worldSize === 1) return { group: joinMemoryGroup(1)[0], store: undefined };
  const { mainAddress: address, mainPort: port } = cluster;
  const timeoutMs = milliseconds(settings.rendezvousTimeoutSeconds);
  const before = activity().enter(MEETING);
  const runKey = await readRunKey(settings);
  if (!cluster.storeIsHosted && cluster.rank === 0) undo.use(await StoreServer.listen({ address, port, runKey }));
  const program = cluster.storeIsHosted || cluster.numNodes === 1 ? undefined : ownProgram(cluster);
  // It is waited for when all have met.
  program?.catch(() => {});
  const store = undo.use(await connectStore({ address, port, timeoutMs, runKey }));
  const host = await hostAddress(store, cluster);
  const group = undo.use(
    await joinProcessGroup({
      store,
      engine: engine?.(host),
      rank: cluster.rank,
      worldSize: cluster.worldSize,
      runId: cluster.runId,
      generation: cluster.generation,
      timeoutMs,
      socketFolder: settings.socketFolder,
      host,
      runKey,
      watch: groupWatch,
      // Under the launcher it is the launcher that looks after the ranks.
      heartbeatMs: cluster.storeIsHosted ? undefined : milliseconds(settings.heartbeatTimeoutSeconds) ?? HEARTBEAT_MS,
      collectiveTimeoutMs: milliseconds(settings.timeoutSeconds),
    }),
  );
  if (program) await checkSameProgram(group, program);
  activity().joined = true;
  activity().restore(before);
  return { group, store };
}

/** Where other hosts reach this one; undefined if all ranks are on it. */
async function hostAddress(store: ConnectedStore, cluster: ClusterInfo): Promise<string | undefined> {
  if (isLoopback(cluster.mainAddress)) return undefined;
  const address = await store.ownAddress();
  // A host may know itself by a loopback address under its own name. The others know it by that name.
  return isLoopback(address) ? cluster.mainAddress : address;
}

/** What reduces arrays in place of the process group's own algorithms, if it is asked for. @throws Error if it cannot be had here */
async function reduceEngine(
  { processGroup }: FabricConfig,
  { loaded, cluster, strategy }: { loaded: LoadedAccelerator; cluster: ClusterInfo; strategy: Strategy },
): Promise<LoadedAccelerator["reduceEngine"]> {
  if (processGroup !== "tensorflow") return undefined;
  const asked = strategy.processGroup?.name ? '`processGroup: "tensorflow"`' : "`--process-group tensorflow`";
  if (!loaded.reduceEngine) {
    const flags = await missingPermissions();
    const remedy = flags.length > 0 ? `it can be found only with ${flags.join(" and ")};` : "run `deno task setup` and";
    throw new Error(
      `${asked} needs TensorFlow, but the accelerator in use is ${loaded.description}: ` +
        `${remedy} choose \`accelerator: "cpu"\` or \`"cuda"\`, or leave it out`,
    );
  }
  if (!isLoopback(cluster.mainAddress) && !strategy.processGroup?.allowsUnencrypted) {
    throw new Error(
      `${asked} sends gradients between hosts (${cluster.mainAddress}) unencrypted, and whoever reaches its ports can run code: ` +
        "leave it out, or allow it with `new DDPStrategy({ allowUnencrypted: true })` where the network is yours alone",
    );
  }
  return loaded.reduceEngine;
}
