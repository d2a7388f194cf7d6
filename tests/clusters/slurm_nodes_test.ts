import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RunKey } from "../../runtime/core/run_key.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { Network, noNetwork } from "./network.ts";
import { preempt } from "./preempt.ts";
import { noSlurm, Slurm } from "./slurm.ts";
import { batchScripts, runBatchScript } from "./slurm_page.ts";

const reason = noSlurm() ?? noNetwork();
if (reason) console.log(`skipped: ranks started by Slurm on two nodes, because ${reason}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const deno = [Deno.execPath(), "run", "-A"];
const MEET = path("scripts/meet.ts");

/** The second batch script of docs/slurm.md, for several nodes. */
const [, SCRIPT] = await batchScripts();
/** Its lines that make the key. */
const MAKE_KEY = /^# A file, not[^]*?^\(umask .*\n/m.exec(SCRIPT)?.[0] ?? "";

Deno.test({
  name: "ranks started by Slurm on two nodes, each a network namespace",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using network = await Network.start(3);
    await using slurm = await Slurm.start(network);
    const inFolder = (use: (cwd: string, env: Record<string, string>) => Promise<void>) => () =>
      inTemporaryFolder(async (cwd) => {
        await Deno.writeTextFile(`${cwd}/run.key`, RunKey.random().toText(), { mode: 0o600 });
        await use(cwd, { WEFT_RUN_KEY_FILE: `${cwd}/run.key` });
      });

    await t.step(
      "two tasks on each learn MNIST to the same weights",
      inFolder(async (cwd, env) => {
        const tasks = ["--nodes=2", "--ntasks-per-node=2", ...deno, path("scripts/train_mnist.ts"), "20"];
        const { code, stdout, stderr } = await slurm.run("srun", tasks, { cwd, env });
        assert.equal(code, 0, stdout + stderr);
        assert.match(stderr, /Distributed: 4 ranks on 2 hosts/);
        const weights = stdout.match(/weights [0-9a-f]{64} after 20/g) ?? [];
        assert.deepEqual([weights.length, new Set(weights).size], [4, 1], stdout);
      }),
    );

    await t.step(
      "the batch script of docs/slurm.md for several nodes runs as it is written, and its key is gone afterwards",
      inFolder(async (cwd) => {
        const written = await runBatchScript(slurm, SCRIPT, cwd);
        assert.equal(written.match(/^met rank=\d local=[01] world=4 sum=10$/gm)?.length, 4, written);
        assert.deepEqual(
          Array.from(Deno.readDirSync(cwd), ({ name }) => name).filter((name) => name.startsWith(".weft-")),
          [],
        );
      }),
    );

    await t.step(
      "steps with more tasks on one node, on the second node alone, and beside each other are runs of their own",
      inFolder(async (cwd, env) => {
        const meet = `${deno.join(" ")} '${MEET}'`;
        await Deno.writeTextFile(
          `${cwd}/job.sh`,
          `#!/bin/bash\n#SBATCH --nodes=2 --ntasks=4\nsrun --nodes=2 --ntasks=3 ${meet}\n` +
            `srun --nodes=1 --ntasks=1 --exact --nodelist=host1 hostname &\n` +
            `srun --nodes=1 --ntasks=2 --exact --nodelist=host2 ${meet} &\nwait\n`,
        );
        const { code, stderr } = await slurm.batch(["--output=out", "job.sh"], { cwd, env });
        const written = await Deno.readTextFile(`${cwd}/out`);
        assert.equal(code, 0, stderr + written);
        assert.deepEqual(written.split("\n").filter((line) => line.startsWith("met ")).sort(), [
          "met rank=0 local=0 world=2 sum=3",
          "met rank=0 local=0 world=3 sum=6",
          "met rank=1 local=1 world=2 sum=3",
          "met rank=1 local=1 world=3 sum=6",
          "met rank=2 local=0 world=3 sum=6",
        ]);
      }),
    );

    await t.step(
      "a preempted job saves, is put into the queue again, and goes on to the same weights",
      inFolder((cwd, env) => preempt(slurm, { cwd, nodes: 2, before: MAKE_KEY, env })),
    );

    await t.step(
      "without a key they say what is missing",
      inFolder(async (cwd) => {
        const { code, stderr } = await slurm.run("srun", ["--nodes=2", "--ntasks=2", ...deno, MEET], { cwd });
        assert.notEqual(code, 0);
        assert.match(stderr, /The 2 ranks are on 2 hosts \(slurm, main address host1\)\..*WEFT_RUN_KEY_FILE/);
      }),
    );
  },
});
