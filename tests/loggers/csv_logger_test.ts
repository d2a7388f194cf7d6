import assert from "node:assert/strict";
import { parse as parseYaml } from "npm:yaml@2.9.1";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { CSVLogger } from "../../runtime/loggers/csv_logger.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const read = (path: string) => Deno.readTextFile(path);

Deno.test("rows go to name/version_0/metrics.csv, columns sorted with step among them", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "MNIST" });
    logger.logMetrics({ train_loss: 0.5, acc: 0.25, z: 1 }, 10);
    logger.logMetrics({ z: NaN, acc: Infinity }, 20);
    await logger.finalize("success");
    assert.equal(logger.logDir, `${folder}/MNIST/version_0`);
    assert.equal(
      await read(`${folder}/MNIST/version_0/metrics.csv`),
      "acc,step,train_loss,z\n0.25,10,0.5,1\nInfinity,20,,NaN\n",
    );
  });
});

Deno.test("nothing is made before something is logged, also by asking for names", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(`${folder}/logs`);
    assert.deepEqual([logger.name, logger.version], ["lightning_logs", "version_0"]);
    await logger.save();
    await logger.finalize("success");
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("a run gets the version after the highest, other names do not count", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const name of ["version_0", "version_7", "version_x", "other_9"]) await Deno.mkdir(`${folder}/${name}`);
    assert.equal(new CSVLogger(folder, { name: "" }).version, "version_8");
    assert.equal(new CSVLogger(folder, { name: "", version: 3 }).version, "version_3");
    assert.equal(new CSVLogger(folder, { name: "", version: "mine" }).logDir, `${folder}/mine`);
  });
});

Deno.test("two runs that start together get different folders", async () => {
  await inTemporaryFolder(async (folder) => {
    const loggers = [new CSVLogger(folder), new CSVLogger(folder)];
    for (const logger of loggers) logger.logMetrics({ a: 1 });
    await Promise.all(loggers.map((logger) => logger.finalize("success")));
    assert.deepEqual(loggers.map((logger) => logger.version).sort(), ["version_0", "version_1"]);
  });
});

Deno.test("a new column rewrites the file and keeps every row, quoted names included", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "" });
    const path = `${logger.logDir}/metrics.csv`;
    logger.logMetrics({ 'b "x", y': 1 }, 0);
    await logger.save();
    logger.logMetrics({ 'b "x", y': 2 }, 1);
    await logger.save();
    assert.equal(await read(path), '"b ""x"", y",step\n1,0\n2,1\n');
    logger.logMetrics({ a: 3 }, 2);
    await logger.save();
    assert.equal(await read(path), 'a,"b ""x"", y",step\n,1,0\n,2,1\n3,,2\n');
    logger.logMetrics({ 'b "x", y': 4 }, 3);
    await logger.finalize("success");
    assert.equal(await read(path), 'a,"b ""x"", y",step\n,1,0\n,2,1\n3,,2\n,4,3\n');
    assert.deepEqual([...Deno.readDirSync(logger.logDir)].map((entry) => entry.name), ["metrics.csv"]);
  });
});

Deno.test("an earlier run's rows stay when its version is used again, with a warning", async () => {
  await inTemporaryFolder(async (folder) => {
    forgetWarnings();
    const said: string[] = [];
    using _ = routeMessages((line) => said.push(line));
    for (const text of ["loss,step\n0.5,0\n", "loss,step\n0.5,0", "loss,step\n0.5,0\n0.2"]) {
      await Deno.mkdir(`${folder}/version_0`, { recursive: true });
      await Deno.writeTextFile(`${folder}/version_0/metrics.csv`, text);
      const logger = new CSVLogger(folder, { name: "", version: 0 });
      logger.logMetrics({ loss: 0.25 }, 1);
      await logger.save();
      logger.logMetrics({ acc: 1, loss: 0.125 }, 2);
      await logger.finalize("success");
      const cut = text.endsWith("0.2") ? ",0.2,\n" : "";
      assert.equal(
        await read(`${folder}/version_0/metrics.csv`),
        `acc,loss,step\n,0.5,0\n${cut},0.25,1\n1,0.125,2\n`,
      );
    }
    assert.equal(said.length, 1);
    assert.match(said[0], /Experiment logs directory .*version_0 exists and is not empty\. New rows are appended/);
    forgetWarnings();
  });
});

Deno.test("rows without a step are numbered, a prefix stands before every name but step", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "", prefix: "fold1" });
    logger.logMetrics({ loss: 1 });
    logger.logMetrics({ loss: 2 });
    await logger.finalize("success");
    assert.equal(await read(`${logger.logDir}/metrics.csv`), "fold1-loss,step\n1,0\n2,1\n");
  });
});

Deno.test("a full buffer is written without being asked, and logging goes on after finalize", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "", flushLogsEveryNSteps: 10 });
    for (let step = 0; step < 95; step++) {
      logger.logMetrics({ a: step }, step);
      if (step % 7 === 0) await Promise.resolve();
    }
    await logger.finalize("success");
    logger.logMetrics({ a: 95 }, 95);
    await logger.finalize("success");
    const rows = (await read(`${logger.logDir}/metrics.csv`)).trim().split("\n");
    assert.deepEqual(rows, ["a,step", ...Array.from({ length: 96 }, (_, i) => `${i},${i}`)]);
  });
});

Deno.test("a file that is deleted in between starts again with its header", async () => {
  await inTemporaryFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "" });
    logger.logMetrics({ a: 1, b: 2 }, 0);
    await logger.save();
    await Deno.remove(`${logger.logDir}/metrics.csv`);
    logger.logMetrics({ a: 3 }, 1);
    await logger.finalize("success");
    assert.equal(await read(`${logger.logDir}/metrics.csv`), "a,step\n3,1\n");
  });
});

Deno.test("hyperparameters are merged into hparams.yaml as plain values", async () => {
  await inTemporaryFolder(async (folder) => {
    class Optimizer {}
    const logger = new CSVLogger(folder, { name: "" });
    logger.logHyperparams({ lr: 1e-3, layers: [100, 10], optimizer: new Optimizer(), relu: Math.max, none: undefined });
    await logger.save();
    logger.logHyperparams({ lr: 1e-4, nested: { text: "a: b" } });
    await logger.finalize("success");
    assert.deepEqual(parseYaml(await read(`${logger.logDir}/hparams.yaml`)), {
      lr: 1e-4,
      layers: [100, 10],
      optimizer: "Optimizer",
      relu: "max",
      none: null,
      nested: { text: "a: b" },
    });
  });
});

Deno.test("a folder that cannot be made is an error of save, and its rows are written once it can", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/logs`, "a file where a folder should be");
    const logger = new CSVLogger(`${folder}/logs`, { name: "run", version: 0 });
    logger.logMetrics({ a: 1 }, 0);
    await assert.rejects(logger.save(), /Could not write the logs to .*logs\/run\/version_0 .*kept and tried again/);
    logger.logMetrics({ a: 2 }, 1);
    await assert.rejects(logger.finalize("failed"), /Could not write the logs/);
    await Deno.remove(`${folder}/logs`);
    await logger.finalize("success");
    assert.equal(await read(`${logger.logDir}/metrics.csv`), "a,step\n1,0\n2,1\n");
  });
});

Deno.test("what is not written yet when the process exits is written then, once", async () => {
  await inTemporaryFolder(async (folder) => {
    const module = new URL("../../runtime/loggers/csv_logger.ts", import.meta.url);
    for (
      const [version, between] of [
        "",
        "await logger.save();",
        "logger.save();",
        "await logger.save(); logger.logMetrics({ a: 0.5, c: 3 }, 9); logger.save();",
      ].entries()
    ) {
      const script = `
        import { CSVLogger } from ${JSON.stringify(module)};
        const logger = new CSVLogger(${JSON.stringify(folder)}, { name: "", version: ${version} });
        logger.logHyperparams({ lr: 1 });
        logger.logMetrics({ a: 1 }, 0);
        ${between}
        logger.logMetrics({ a: 2, b: 5 }, 1);
        Deno.exit(7);`;
      await Deno.writeTextFile(`${folder}/script.ts`, script);
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-lock", "--quiet", `${folder}/script.ts`],
      }).output();
      assert.equal(code, 7, new TextDecoder().decode(stderr));
      assert.equal(
        await read(`${folder}/version_${version}/metrics.csv`),
        version === 3 ? "a,b,c,step\n1,,,0\n0.5,,3,9\n2,5,,1\n" : "a,b,step\n1,,0\n2,5,1\n",
        between,
      );
      assert.equal(await read(`${folder}/version_${version}/hparams.yaml`), "lr: 1\n");
      assert.deepEqual([...Deno.readDirSync(`${folder}/version_${version}`)].map((e) => e.name).sort(), [
        "hparams.yaml",
        "metrics.csv",
      ]);
    }
  });
});

Deno.test("a full disk leaves whole rows only, and the others are written once there is room", async (t) => {
  await inTemporaryFolder(async (folder) => {
    const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder] }).output()
      .catch(() => ({ success: false }));
    if (!mount.success) {
      console.log("skipped: a small disk can be mounted as root on Linux only");
      await t.step({ name: "needs the right to mount", ignore: true, fn() {} });
      return;
    }
    try {
      const logger = new CSVLogger(folder, { name: "" });
      logger.logMetrics({ a: 0 }, 0);
      await logger.save();
      await Deno.writeFile(`${folder}/large`, new Uint8Array(52 * 1024));
      for (let step = 1; step < 5000; step++) logger.logMetrics({ a: step }, step);
      await assert.rejects(logger.save(), /Could not write the logs .*No space left/);
      assert.equal(await read(`${logger.logDir}/metrics.csv`), "a,step\n0,0\n");
      logger.logMetrics({ a: 1, b: 1 }, 5000);
      await assert.rejects(logger.save(), /No space left/);
      assert.equal(await read(`${logger.logDir}/metrics.csv`), "a,step\n0,0\n");
      await Deno.remove(`${folder}/large`);
      await logger.finalize("success");
      const rows = (await read(`${logger.logDir}/metrics.csv`)).trim().split("\n");
      assert.equal(rows.length, 5002);
      assert.deepEqual([rows[0], rows[1], rows[4999], rows[5001]], ["a,b,step", "0,,0", "4998,,4998", "1,1,5000"]);
    } finally {
      await new Deno.Command("umount", { args: [folder] }).output();
    }
  });
});

Deno.test("wrong options, metrics and steps are refused at once", () => {
  assert.throws(() => new CSVLogger(""), /needs a folder/);
  assert.throws(() => new CSVLogger("logs", { version: -1 }), /version is a whole number from 0 up/);
  assert.throws(() => new CSVLogger("logs", { flushLogsEveryNSteps: 0 }), /from 1 up, but got 0/);
  assert.throws(() => new CSVLogger("logs", { flush: 1 } as never), /no option `flush`/);
  const logger = new CSVLogger("logs");
  assert.throws(() => logger.logMetrics({ loss: "1" as never }), /`loss` is "1", expected a number/);
  assert.throws(() => logger.logMetrics({ loss: new Map() as never }), /`loss` is a Map/);
  assert.throws(() => logger.logMetrics({ loss: 1 }, NaN), /step is a whole number/);
});
