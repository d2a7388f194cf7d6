import assert from "node:assert/strict";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import { CheckpointRecord, checkpointRecordFile } from "../../runtime/fabric/checkpoint_record.ts";
import { detectLocal } from "../../runtime/environments/detectors.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

/** Writes and adds a checkpoint. */
async function save(record: CheckpointRecord, path: string, part = "", ranks?: number): Promise<string> {
  await writeCheckpoint(path, { step: 1 });
  await record.add(path, part, ranks);
  return path;
}

Deno.test("the newest checkpoint is the one that was added last, by whatever process", () =>
  inTemporaryFolder(async (folder) => {
    const file = `${folder}/deep/record`;
    assert.equal(await new CheckpointRecord(file).newest(), undefined);
    await save(new CheckpointRecord(file), `${folder}/b.ckpt`);
    const last = await save(new CheckpointRecord(file), `${folder}/a.ckpt`);
    // The order is not that of the files' times, which a clock that is set turns around.
    await Deno.utime(last, 1, 1);
    assert.equal(await new CheckpointRecord(file).newest(), last);
  }));

Deno.test("one that was removed or damaged since is passed over, and so is a line that was cut short", () =>
  inTemporaryFolder(async (folder) => {
    const record = new CheckpointRecord(`${folder}/record`);
    const good = await save(record, `${folder}/1.ckpt`);
    await Deno.remove(await save(record, `${folder}/2.ckpt`));
    await Deno.writeTextFile(await save(record, `${folder}/3.ckpt`), "not a checkpoint");
    await Deno.writeTextFile(`${folder}/record`, '{"path":"/x', { append: true });
    assert.equal(await record.newest(), good);
  }));

Deno.test("parts of a program, and numbers of ranks, have their own", () =>
  inTemporaryFolder(async (folder) => {
    const record = new CheckpointRecord(`${folder}/record`);
    const epoch = await save(record, `${folder}/epoch.ckpt`, "fit 1");
    const middle = await save(record, `${folder}/middle.ckpt`, "fit 1", 4);
    const second = await save(record, `${folder}/second.ckpt`, "fit 2");
    assert.equal(await record.newest({ part: "fit 1", ranks: 4 }), middle);
    assert.equal(await record.newest({ part: "fit 1", ranks: 2 }), epoch);
    assert.equal(await record.newest({ ranks: 2 }), second);
    assert.equal(await record.newest({ part: "fit 3" }), undefined);
  }));

Deno.test("what cannot be started again has no record", async () => {
  const settings = { silencedWarnings: [] }, cluster = detectLocal();
  assert.equal(checkpointRecordFile(settings, cluster), undefined);
  assert.equal(checkpointRecordFile({ ...settings, checkpointRecord: "/x" }, cluster), "/x");
  const slurm = checkpointRecordFile(settings, { ...cluster, kind: "slurm", runId: "slurm-4711.0" });
  assert.equal(slurm, `${Deno.cwd()}/.weft/slurm-4711.0.checkpoints`);
  const none = new CheckpointRecord(undefined);
  await none.add("/x", "");
  assert.equal(await none.newest(), undefined);
});
