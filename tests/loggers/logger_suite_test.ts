import assert from "node:assert/strict";
import { parse as parseCsv } from "npm:csv-parse@7.0.3/sync";
import { ConsoleLogger } from "../../runtime/loggers/console_logger.ts";
import { CSVLogger } from "../../runtime/loggers/csv_logger.ts";
import { JSONLinesLogger } from "../../runtime/loggers/json_lines_logger.ts";
import type { Logger } from "../../runtime/loggers/logger.ts";
import { MLflowLogger } from "../../runtime/loggers/mlflow_logger.ts";
import { TensorBoardLogger } from "../../runtime/loggers/tensorboard_logger.ts";
import { FakeMLflow } from "./fake_mlflow.ts";
import { scalarsOf } from "./read_event_file.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

/** What a logger has to show to pass: values as [step, name, value], in the order they were logged. */
interface Subject {
  logger: Logger;
  read(): Promise<[number, string, number][]>;
}

/** Every logger, and how the suite makes one and reads what it wrote. */
const SUBJECTS: Record<string, (folder: string, server: FakeMLflow, prefix: string) => Subject> = {
  CSVLogger(folder, _server, prefix) {
    const logger = new CSVLogger(folder, { name: "exp", prefix });
    return {
      logger,
      async read() {
        const rows = parseCsv(await Deno.readTextFile(`${logger.logDir}/metrics.csv`), { columns: true }) as Record<
          string,
          string
        >[];
        return rows.flatMap(({ step, ...metrics }) =>
          Object.entries(metrics).filter(([, value]) => value !== "")
            .map(([name, value]): [number, string, number] => [Number(step), name, Number(value)])
        );
      },
    };
  },
  JSONLinesLogger(folder, _server, prefix) {
    const logger = new JSONLinesLogger(folder, { name: "exp", prefix });
    return {
      logger,
      async read() {
        const lines = (await Deno.readTextFile(`${logger.logDir}/metrics.jsonl`)).trim().split("\n");
        return lines.map((line) => JSON.parse(line)).flatMap(({ step, metrics = {} }) =>
          Object.entries(metrics).map(([name, value]): [number, string, number] => [step, name, Number(value)])
        );
      },
    };
  },
  TensorBoardLogger(folder, _server, prefix) {
    const logger = new TensorBoardLogger(folder, { name: "exp", prefix, defaultHpMetric: false });
    return {
      logger,
      async read() {
        const files = [...Deno.readDirSync(logger.logDir)].filter(({ name }) =>
          name.startsWith("events.out.tfevents.")
        );
        assert.equal(files.length, 1);
        return scalarsOf(await Deno.readFile(`${logger.logDir}/${files[0].name}`))
          .map(({ step, tag, value }) => [step, tag, value]);
      },
    };
  },
  MLflowLogger(_folder, server, prefix) {
    const logger = new MLflowLogger({ experimentName: "exp", trackingUri: server.uri, prefix });
    return {
      logger,
      read: () => Promise.resolve(server.runs[0].metrics.map(({ step, key, value }) => [step, key, Number(value)])),
    };
  },
  ConsoleLogger(_folder, _server, prefix) {
    const lines: string[] = [];
    const logger = new ConsoleLogger({ name: "exp", prefix, print: (line) => lines.push(line) });
    return {
      logger,
      read: () =>
        Promise.resolve(
          lines.filter((line) => line.startsWith("step ")).flatMap((line) => {
            const [step, ...values] = line.split("  ");
            return values.map((text) => text.split("="))
              .map(([name, value]): [number, string, number] => [Number(step.slice(5)), name, Number(value)]);
          }),
        ),
    };
  },
};

for (const [name, make] of Object.entries(SUBJECTS)) {
  const withSubject = async (use: (subject: Subject) => Promise<void>, prefix = "") => {
    await using server = new FakeMLflow();
    await inTemporaryFolder((folder) => use(make(folder, server, prefix)));
  };

  Deno.test(`${name} keeps every value in order, with its step, over several saves`, () =>
    withSubject(async ({ logger, read }) => {
      const expected: [number, string, number][] = [];
      for (let step = 0; step < 250; step++) {
        logger.logMetrics({ loss: step / 4 }, step * 10);
        expected.push([step * 10, "loss", step / 4]);
        if (step === 100) await logger.save();
        if (step === 150) void logger.save();
      }
      await logger.save();
      assert.deepEqual(await read(), expected);
      logger.logMetrics({ loss: -1 }, 9999);
      await logger.finalize("success");
      assert.deepEqual((await read()).at(-1), [9999, "loss", -1]);
      assert.equal(logger.name, "exp");
      assert.ok(logger.version.length > 0);
    }));

  Deno.test(`${name} takes NaN, infinities, a new name in between and calls without a step`, () =>
    withSubject(async ({ logger, read }) => {
      logger.logMetrics({ a: NaN });
      logger.logMetrics({ a: Infinity });
      await logger.save();
      logger.logMetrics({ b: -Infinity });
      await logger.finalize("success");
      assert.deepEqual(await read(), [[0, "a", NaN], [1, "a", Infinity], [2, "b", -Infinity]]);
    }));

  Deno.test(`${name} puts the prefix before every name`, () =>
    withSubject(async ({ logger, read }) => {
      logger.logMetrics({ loss: 2 }, 5);
      await logger.finalize("success");
      assert.deepEqual(await read(), [[5, "fold1-loss", 2]]);
    }, "fold1"));

  Deno.test(`${name} goes on after finalize, and saving or ending without anything logged is fine`, () =>
    withSubject(async ({ logger, read }) => {
      await logger.save();
      await logger.finalize("interrupted");
      logger.logMetrics({ a: 1 }, 0);
      await logger.finalize("failed");
      logger.logMetrics({ a: 2 }, 1);
      await logger.finalize("success");
      assert.deepEqual(await read(), [[0, "a", 1], [1, "a", 2]]);
    }));

  Deno.test(`${name} takes hyperparameters of any kind beside metrics`, () =>
    withSubject(async ({ logger, read }) => {
      logger.logHyperparams({ lr: 1e-3, layers: [100, 10], nested: { dropout: 0.5 }, fn: Math.max, none: undefined });
      logger.logMetrics({ a: 1 }, 3);
      await logger.finalize("success");
      assert.deepEqual(await read(), [[3, "a", 1]]);
    }));

  Deno.test(`${name} refuses values, steps and parameters that are none`, () =>
    withSubject(async ({ logger }) => {
      assert.throws(() => logger.logMetrics({ loss: "0.5" as never }), /`loss` is "0.5", expected a number/);
      assert.throws(() => logger.logMetrics({ loss: null as never }), TypeError);
      assert.throws(() => logger.logMetrics({ loss: 1 }, Infinity), /step is a whole number/);
      assert.throws(() => logger.logHyperparams(5 as never), /Hyperparameters are an object/);
      await logger.finalize("success");
    }));
}

// Deno has no accessor `__proto__`, so a metric of that name is like any. MLflow takes other names only (mlflow_logger_test.ts), and what
// ConsoleLogger prints is for people.
for (const name of ["CSVLogger", "JSONLinesLogger", "TensorBoardLogger"]) {
  Deno.test(`${name} keeps metrics whose names have newlines, commas and quotes or are an object's own`, async () => {
    await using server = new FakeMLflow();
    await inTemporaryFolder(async (folder) => {
      const { logger, read } = SUBJECTS[name](folder, server, "");
      const names = [
        `a,"b"`,
        "=1+1",
        "c\nstep,0",
        "d\r\n{}",
        "../../e",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "",
      ];
      const metrics = Object.fromEntries(names.map((metric, i) => [metric, i]));
      logger.logHyperparams({ ["__proto__"]: { polluted: 1 }, "a\nb: c": "d\ne: f" });
      logger.logMetrics(metrics, 7);
      await logger.save();
      logger.logMetrics({ later: 1 }, 8);
      await logger.finalize("success");
      const kept = (await read()).filter(([step]) => step === 7).map(([, metric, value]) => [metric, value]);
      assert.deepEqual(Object.fromEntries(kept), metrics);
      assert.equal(({} as { polluted?: number }).polluted, undefined);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["exp"]);
    });
  });
}

Deno.test("an unknown option of any logger is refused, with the one that was meant", () => {
  const wrong = { nme: "x", nam: "x", verson: 1 } as never;
  assert.throws(() => new CSVLogger("logs", wrong), /`CSVLogger` has no option `nme`; did you mean `name`/);
  assert.throws(() => new JSONLinesLogger("logs", wrong), /`JSONLinesLogger` has no option `nme`/);
  assert.throws(() => new TensorBoardLogger("logs", wrong), /`TensorBoardLogger` has no option `nme`/);
  assert.throws(
    () => new MLflowLogger({ runame: "x" } as never),
    /`MLflowLogger` has no option `runame`; did you mean `runName`/,
  );
  assert.throws(() => new ConsoleLogger(wrong), /`ConsoleLogger` has no option `nme`/);
});
