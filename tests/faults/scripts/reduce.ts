/**
 * `reduce.ts FAULT`: ranks that reduce a vector in steps and save it, without a tensor library. Writes the last vector to FAULT_FOLDER/result. Goes on
 * from its newest checkpoint when it is started again.
 */
import { writeCheckpoint } from "../../../runtime/checkpoint/write_checkpoint.ts";
import { readCheckpoint } from "../../../runtime/checkpoint/read_checkpoint.ts";
import { connectStore } from "../../../runtime/comm/connect_store.ts";
import { joinProcessGroup } from "../../../runtime/comm/join_process_group.ts";
import { activity, MEETING } from "../../../runtime/core/activity.ts";
import { isLoopback } from "../../../runtime/core/loopback.ts";
import { detectCluster } from "../../../runtime/environments/detect_cluster.ts";
import { processEnvironment } from "../../../runtime/environments/process_environment.ts";
import { readRunKey } from "../../../runtime/environments/read_run_key.ts";
import { readSettings } from "../../../runtime/environments/settings.ts";
import { CheckpointRecord, checkpointRecordFile } from "../../../runtime/fabric/checkpoint_record.ts";
import { groupWatch } from "../../../runtime/fabric/group_watch.ts";
import type { HostTensor } from "../../../runtime/tensor/host_tensor.ts";
import { type Fault, SAVED_EVERY, STEPS } from "../fault.ts";
import { harm } from "./harm.ts";

/** Of every step, where the ranks share some. */
const SAMPLES = 6;

const fault: Fault = JSON.parse(Deno.args[0]);
const variables = processEnvironment(), folder = variables.FAULT_FOLDER!;
const settings = readSettings(variables), cluster = detectCluster(variables);
const { rank, worldSize, runId, generation } = cluster;
const record = new CheckpointRecord(checkpointRecordFile(settings, cluster));
if (fault.place === "before setup") await harm(fault, 0);

const outer = activity().enter(MEETING);
const runKey = await readRunKey(settings);
await using store = await connectStore({ address: cluster.mainAddress, port: cluster.mainPort, runKey });
const host = isLoopback(cluster.mainAddress) ? undefined : await store.ownAddress();
await using group = await joinProcessGroup({
  ...{ store, rank, worldSize, runId, generation, runKey, host },
  ...{ socketFolder: settings.socketFolder, watch: groupWatch },
});
activity().joined = true;
activity().restore(outer);

const vector = new Float32Array(8_000);
let step = 0;
if (generation > 0) {
  const path = rank === 0 ? await record.newest() : undefined;
  if (path) {
    const saved = await readCheckpoint(path);
    step = saved.step as number;
    vector.set((saved.vector as HostTensor).data as Float32Array);
  }
  step = await group.broadcastObject(step);
  await group.broadcast(vector);
}
for (; step < STEPS; step++) {
  activity().setStep(step);
  const before = activity().enter("training step");
  if (fault.place === "training step") await harm(fault, step);
  const change = fault.kind === "host" ? await meanOfSamples(step) : await meanOfRanks(step);
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i] * 0.9 + change[i];
  activity().restore(before);
  if (rank === 0 && (step + 1) % SAVED_EVERY === 0) {
    const path = `${folder}/checkpoints/${step + 1}.ckpt`;
    await writeCheckpoint(path, { step: step + 1, vector: { dtype: "float32", shape: [vector.length], data: vector } });
    await record.add(path, "");
  }
}
if (fault.place === "after the last step") await harm(fault, step);
await group.barrier();
if (rank === 0) await Deno.writeFile(`${folder}/result`, new Uint8Array(vector.buffer));

/** The mean over the ranks of what each adds. Its bytes depend on how many they are, and on the order in which they are added. */
async function meanOfRanks(step: number): Promise<Float32Array> {
  const change = vector.map((value, i) => Math.sin(value + i * (rank + 1) + step));
  await group.allReduce(change, { op: "mean" });
  return change;
}

/** The mean over samples that the ranks share. They add whole numbers, so that its bytes depend on neither. */
async function meanOfSamples(step: number): Promise<Float32Array> {
  const change = new Float32Array(vector.length);
  for (let sample = rank; sample < SAMPLES; sample += worldSize) {
    for (let i = 0; i < change.length; i++) {
      change[i] += Math.round(1_000 * Math.sin(vector[i] + i * (sample + 1) + step));
    }
  }
  await group.allReduce(change, { op: "sum" });
  return change.map((sum) => sum / (1_000 * SAMPLES));
}
