import assert from "node:assert/strict";
import { LAUNCHER_OPTIONS } from "../../launcher/options.ts";
import { readSettings } from "../../runtime/environments/settings.ts";

Deno.test("an empty environment sets nothing", () => {
  assert.deepEqual(readSettings({}), { silencedWarnings: [] });
  assert.deepEqual(readSettings({ WEFT_DEVICES: "", WEFT_TIMEOUT: " " }), { silencedWarnings: [] });
});

Deno.test("codes of warnings are separated by commas", () => {
  assert.deepEqual(readSettings({ WEFT_SILENCE: "few-workers, log-folder," }).silencedWarnings, [
    "few-workers",
    "log-folder",
  ]);
});

const WRONG: [Record<string, string>, RegExp][] = [
  [{ WEFT_TIMEOUT: "soon" }, /WEFT_TIMEOUT=soon must be a positive number of seconds/],
  [{ WEFT_TIMEOUT: "-1" }, /WEFT_TIMEOUT=-1 must be/],
  [{ WEFT_TIMEOUT: "Infinity" }, /WEFT_TIMEOUT=Infinity must be/],
  [{ WEFT_NUM_NODES: "0" }, /WEFT_NUM_NODES=0 must be an integer of at least 1/],
  [{ WEFT_NUM_NODES: "1.5" }, /WEFT_NUM_NODES=1.5 must be an integer/],
  [{ WEFT_SEED: "NaN" }, /WEFT_SEED=NaN must be an integer from 0 to 4294967295/],
  [{ WEFT_SEED: "4294967296" }, /WEFT_SEED=4294967296 must be/],
  [{ WEFT_SEED_WORKERS: "perhaps" }, /WEFT_SEED_WORKERS=perhaps must be 1 or 0/],
  [{ WEFT_PROCESS_GROUP: "nccl" }, /WEFT_PROCESS_GROUP=nccl must be one of zeromq, tensorflow/],
  [{ WEFT_LAUNCHED_BY: "me" }, /WEFT_LAUNCHED_BY=me must be/],
];
for (const [variables, message] of WRONG) {
  Deno.test(`${JSON.stringify(variables)} is an error that says what is expected`, () => {
    assert.throws(() => readSettings(variables), message);
  });
}

Deno.test("a process that may not read the environment sees only the variables that it may read", async () => {
  const script = `
    import { processEnvironment } from "${new URL(
    "../../runtime/environments/process_environment.ts",
    import.meta.url,
  )}";
    console.log(JSON.stringify(processEnvironment()));`;
  const options = LAUNCHER_OPTIONS.map(({ variable }) => variable);
  const run = async (flag: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-prompt", flag, `data:application/typescript,${encodeURIComponent(script)}`],
      env: { ...Object.fromEntries(options.map((name) => [name, "1"])), RANK: "5", WEFT_DEVICES: "2" },
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  };
  assert.deepEqual(await run("--allow-env=RANK"), { RANK: "5" });
  assert.deepEqual(Object.keys(await run(`--allow-env=${options}`)).sort(), options.toSorted());
  const all = await run("--allow-env");
  assert.deepEqual([all.RANK, all.WEFT_DEVICES], ["5", "2"]);
});
