import assert from "node:assert/strict";
import { useProjectPackages } from "../project_packages.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const root = new URL("../../", import.meta.url);
const MOD = new URL("mod.ts", root).href;
const FENCED = /^```ts.*\n([\s\S]*?)^```$/gm;

const STEP =
  `import { crossEntropy, type DataLoader, type Fabric, type FabricModule, type FabricOptimizer, tf } from "${MOD}";
type Batch = [tf.Tensor, tf.Tensor];
declare const fabric: Fabric, model: FabricModule<tf.Sequential>, optimizer: FabricOptimizer;
declare const train: DataLoader<Batch>, loader: DataLoader<Batch>, batches: Batch[];
`;
/** What the text around pieces of code speaks of, by document. A piece with imports is a whole program. */
const CONTEXT: Record<string, string> = {
  "docs/compiled_steps.md": STEP,
  "docs/uneven_work.md": STEP,
  "docs/strategies.md": STEP.replace("type Fabric,", "DDPStrategy, Fabric, Trainer,"),
  "docs/precision.md": `import { DDPStrategy, Fabric } from "${MOD}";\n`,
  "docs/loggers_and_metrics.md": `import { Accuracy, LightningModule, type tf } from "${MOD}";\n`,
  "docs/trainer.md": `
import { exportLayersModel, importLayersModel, LightningModule, loadLayersWeights, tf } from "${MOD}";
import type { DataLoader, LightningDataModule, Trainer } from "${MOD}";
class Classifier extends LightningModule {
  readonly net = tf.sequential();
}
declare const trainer: Trainer, model: Classifier, datamodule: LightningDataModule, loader: DataLoader<tf.Tensor>;
`,
};

/** The pieces of TypeScript in a document, as programs that import Weft from where it is. */
async function programsOf(document: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(document, root));
  return [...text.matchAll(FENCED)].map(([, code]) => {
    if (code.startsWith("import ")) return code.replaceAll(/"\.{1,2}\/mod\.ts"/g, JSON.stringify(MOD));
    return `${CONTEXT[document]}\nexport async function piece() {\n${code}}\n`;
  });
}

async function deno(args: string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd, env: { NO_COLOR: "1" } })
    .output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, output);
  return output;
}

Deno.test("each piece of TypeScript in the README and the docs is of the right types", () =>
  inTemporaryFolder(async (folder) => {
    await useProjectPackages(folder);
    const docs = await Array.fromAsync(Deno.readDir(new URL("docs/", root)), ({ name }) => `docs/${name}`);
    const files: string[] = [];
    for (const document of ["README.md", ...docs.filter((name) => name.endsWith(".md"))]) {
      for (const [index, program] of (await programsOf(document)).entries()) {
        files.push(`${document.replace("/", "_")}_${index + 1}.ts`);
        await Deno.writeTextFile(`${folder}/${files.at(-1)}`, program);
      }
    }
    assert.ok(files.length >= 10, `only ${files} found`);
    await deno(["check", ...files], folder);
  }));

const WRITES = { Fabric: "model.safetensors", Trainer: "lightning_logs/version_0/metrics.csv" };
for (const [index, name] of (["Fabric", "Trainer"] as const).entries()) {
  Deno.test(`the README's program with ${name} trains on two ranks as it stands`, () =>
    inTemporaryFolder(async (folder) => {
      await useProjectPackages(folder);
      const program = (await programsOf("README.md"))[index];
      assert.match(program, new RegExp(`new ${name}\\(`));
      // One epoch shows that it works.
      await Deno.writeTextFile(`${folder}/script.ts`, program.replace("maxEpochs: 5", "maxEpochs: 1"));
      const output = await deno(["run", "-A", "script.ts"], folder);
      assert.match(output, /Distributed: 2 ranks on 1 host/);
      const written = await Deno.readTextFile(`${folder}/${WRITES[name]}`);
      assert.match(written, name === "Fabric" ? /"model\.[^"]*kernel/ : /train_loss/);
    }));
}
