import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Batch, dense, Line, planeLoader, quietTrainer, weightsOf } from "./support/line.ts";
import {
  Callback,
  CheckpointError,
  type HostTensor,
  type LightningModule,
  ModelCheckpoint,
  readCheckpoint,
  tf,
  type Trainer,
} from "../../mod.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

/** A model whose checkpoint takes about 400 kB. */
class Wide extends Line {
  readonly wide = tf.sequential({ layers: [dense(25_000, 2), dense(1, 25_000)] });
  override lossOf([x, y]: Batch): tf.Tensor {
    return this.run(this.wide, x).sub(y).square().mean();
  }
  override rate: number = 1e-6;
}

/** Calls `f` with a folder on a disk on which one checkpoint of {@linkcode Wide} fits. */
async function onSmallDisk(t: Deno.TestContext, f: (folder: string) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=600k", "tmpfs", folder] })
      .output()
      .catch(() => ({ success: false }));
    if (!mount.success) {
      console.log("skipped: a small disk can be mounted as root on Linux only");
      await t.step({ name: "needs the right to mount", ignore: true, fn() {} });
      return;
    }
    try {
      await f(folder);
    } finally {
      await new Deno.Command("umount", { args: [folder] }).output();
    }
  });
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("a disk that is full when a checkpoint is saved in the background fails the fit after its next step", async (t) => {
  await onSmallDisk(t, async (folder) => {
    using _ = routeMessages(() => {});
    let lastStep = 0, seen: unknown;
    class Watch extends Callback {
      override async onTrainBatchEnd(trainer: Trainer) {
        lastStep = trainer.globalStep;
        // What failed is forgotten: from here on the failure is known.
        while (lastStep === 5 && !checkpoint.bestModelPath.endsWith("step=2.ckpt")) await setImmediate();
      }
      override onException(_trainer: Trainer, _module: unknown, error: unknown) {
        seen = error;
      }
    }
    const checkpoint = new ModelCheckpoint({ dirpath: folder, everyNTrainSteps: 2, saveTopK: -1, filename: "{step}" });
    const trainer = quietTrainer({ enableCheckpointing: true, maxEpochs: 4, callbacks: [checkpoint, new Watch()] });
    await assert.rejects(trainer.fit(new Wide(), planeLoader()), (error) => {
      assert.ok(error instanceof CheckpointError);
      assert.match(
        error.message,
        /Could not save the checkpoint .*step=4\.ckpt: .*No space left.* Free space on the disk of/,
      );
      assert.equal(error, seen);
      return true;
    });
    await trainer.close();
    assert.ok(lastStep === 4 || lastStep === 5, `failed after step ${lastStep}`);
    assert.deepEqual(namesIn(folder), ["step=2.ckpt"]);
    assert.equal((await readCheckpoint(join(folder, "step=2.ckpt"))).globalStep, 2);
    assert.equal(checkpoint.bestModelPath, join(folder, "step=2.ckpt"));
  });
});

Deno.test("a disk that is full at the last save fails the fit at its end", async (t) => {
  await onSmallDisk(t, async (folder) => {
    using _ = routeMessages(() => {});
    const checkpoint = new ModelCheckpoint({ dirpath: folder, everyNEpochs: 1, saveTopK: -1, filename: "{step}" });
    await using trainer = quietTrainer({ enableCheckpointing: true, maxEpochs: 2, callbacks: checkpoint });
    await assert.rejects(trainer.fit(new Wide(), planeLoader()), CheckpointError);
    assert.deepEqual(namesIn(folder), ["step=4.ckpt"]);
  });
});

Deno.test("a full disk is thrown where a hook saves by itself, and the training may go on", async (t) => {
  await onSmallDisk(t, async (folder) => {
    using _ = routeMessages(() => {});
    const failures: unknown[] = [];
    class Saving extends Callback {
      override async onTrainEpochEnd(trainer: Trainer) {
        await trainer.saveCheckpoint(join(folder, "only.ckpt")).catch((error) => failures.push(error));
      }
    }
    await using trainer = quietTrainer({ maxEpochs: 2, callbacks: new Saving() });
    assert.equal(await trainer.fit(new Wide(), planeLoader()), "finished");
    // The new file is written beside the old one, for which there is no room.
    assert.equal(failures.length, 1);
    assert.match((failures[0] as Error).message, /What was at this path before is unchanged/);
    assert.deepEqual(namesIn(folder), ["only.ckpt"]);
    assert.equal((await readCheckpoint(join(folder, "only.ckpt"))).globalStep, 4);
  });
});

Deno.test("what is written in the background is the state of the step that it was saved at", () =>
  inTemporaryFolder(async (folder) => {
    using _ = routeMessages(() => {});
    const saved: [number, Record<string, number[]>][] = [];
    class Saving extends Callback {
      override async onTrainBatchEnd(trainer: Trainer, module: LightningModule) {
        saved.push([trainer.globalStep, weightsOf(module)]);
        await trainer.saveCheckpoint(join(folder, `${trainer.globalStep}.ckpt`), { background: true });
      }
    }
    class Fast extends Wide {
      override rate = 1e-3;
    }
    for (const accelerator of ["wasm", "cpu"] as const) {
      saved.length = 0;
      await using trainer = quietTrainer({ accelerator, maxEpochs: 1, callbacks: new Saving() });
      await trainer.fit(new Fast(), planeLoader());
      for (const [step, weights] of saved) {
        const { stateDict } = await readCheckpoint(join(folder, `${step}.ckpt`));
        for (const [name, { data }] of Object.entries(stateDict as unknown as Record<string, HostTensor>)) {
          assert.deepEqual([...data as Float32Array], weights[name], `${accelerator}: ${name} at step ${step}`);
        }
      }
      assert.notDeepEqual(saved[0][1], saved[3][1]);
    }
  }));

Deno.test("a kill in the middle of writing leaves the checkpoint before, whole", () =>
  inTemporaryFolder(async (folder) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("./scripts/save_large.ts", import.meta.url).pathname, folder],
      stderr: "inherit",
      stdout: "null",
    }).spawn();
    const isWriting = (names: string[]) =>
      names.some((name) => name.endsWith(".ckpt")) && names.some((name) => name.endsWith(".tmp"));
    const watcher = Deno.watchFs(folder);
    let ended = false;
    child.status.then(() => {
      ended = true;
      // Without it a child that fails would be waited for without end.
      watcher.close();
    });
    for await (const _ of watcher) if (isWriting(namesIn(folder))) break;
    assert.ok(!ended, "the program ended by itself");
    child.kill("SIGKILL");
    await child.status;
    const complete = namesIn(folder).filter((name) => name.endsWith(".ckpt"));
    assert.ok(complete.length > 0);
    for (const name of complete) {
      const { globalStep, optimizerStates } = await readCheckpoint(join(folder, name));
      assert.equal(name, `epoch=${Number(globalStep) / 3 - 1}-step=${globalStep}.ckpt`);
      assert.ok(optimizerStates);
    }
  }));
