import assert from "node:assert/strict";
import { runLauncher, script } from "./run_launcher.ts";

interface Printed {
  main: boolean;
  args: string[];
  env: Record<string, string>;
  port: number;
  weft: Record<string, string>;
  cuda?: string;
  cwd: string;
  ffi: string;
}

function printed(stdout: string): Printed[] {
  const lines = stdout.trim().split("\n").map((line) => line.match(/^(?:\[rank (\d+)\] )?(\{.*\})$/)!);
  return lines.map((match) => JSON.parse(match[2])).sort((a, b) => Number(a.env.RANK) - Number(b.env.RANK));
}

Deno.test("every rank runs the script as the main module, with its arguments and who it is", async () => {
  const args = ["--devices", "3", "-x", "", "two words", "--", "é"];
  const { code, stdout, stderr } = await runLauncher(["--devices", "2", script("print_everything"), ...args]);
  assert.equal(code, 0, stderr);
  const ranks = printed(stdout);
  assert.equal(ranks.length, 2);
  for (const [rank, seen] of ranks.entries()) {
    assert.equal(seen.main, true);
    assert.deepEqual(seen.args, args);
    assert.deepEqual(seen.env, {
      RANK: String(rank),
      LOCAL_RANK: String(rank),
      WORLD_SIZE: "2",
      LOCAL_WORLD_SIZE: "2",
      NODE_RANK: "0",
      GROUP_RANK: "0",
      MASTER_ADDR: "127.0.0.1",
    });
    assert(seen.port > 0 && seen.port === ranks[0].port);
    assert.equal(seen.weft.WEFT_RUN_ID, ranks[0].weft.WEFT_RUN_ID);
    assert.equal(seen.weft.WEFT_STORE, "1");
    assert.equal(seen.weft.WEFT_LAUNCHED_BY, "command line");
    assert.equal(seen.cwd, Deno.cwd());
  }
});

Deno.test("options reach the ranks, and what is not given is not set", async () => {
  const options = ["--accelerator", "wasm", "--strategy", "ddp", "--precision", "32-true", "--timeout", "7.5"];
  const more = ["--process-group", "tensorflow", "--max-restarts", "2"];
  const { stdout } = await runLauncher([...options, ...more, script("print_everything")], {
    env: { WEFT_RENDEZVOUS_TIMEOUT: "9", WEFT_SILENCE: "few-workers" },
  });
  const [{ weft, cuda }] = printed(stdout);
  assert.deepEqual(
    [
      ...["ACCELERATOR", "STRATEGY", "PROCESS_GROUP", "PRECISION", "TIMEOUT", "RENDEZVOUS_TIMEOUT", "MAX_RESTARTS"],
      ...["SILENCE", "DEVICES"],
    ].map((name) => weft[`WEFT_${name}`]),
    ["wasm", "ddp", "tensorflow", "32-true", "7.5", "9", "2", "few-workers", ""],
  );
  assert.equal(weft.WEFT_TERMINAL, "", "there is no terminal here");
  assert.equal(cuda, Deno.env.get("CUDA_VISIBLE_DEVICES"));
});

Deno.test("WEFT_DEVICES starts ranks as --devices does", async () => {
  const { stdout } = await runLauncher([script("print_everything")], { env: { WEFT_DEVICES: "0,1" } });
  assert.equal(printed(stdout).length, 2);
});

Deno.test("a single rank's output is not prefixed", async () => {
  const { code, stdout } = await runLauncher([script("print_lines")]);
  assert.equal(code, 0);
  assert.match(stdout, /^line 0 of 0 é \n/);
  assert.match(stdout, /\nthe end of 0$/);
});

Deno.test("lines of several ranks are prefixed and whole, on the stream that they were written to", async () => {
  const { code, stdout, stderr } = await runLauncher(["--devices", "3", script("print_lines")]);
  assert.equal(code, 0);
  for (const rank of [0, 1, 2]) {
    const of = (text: string) => text.split("\n").filter((line) => line.startsWith(`[rank ${rank}] `));
    assert.deepEqual(of(stdout), [
      ...Array.from({ length: 200 }, (_, i) => `[rank ${rank}] line ${i} of ${rank} é ${"x".repeat(i)}`),
      `[rank ${rank}] the end of ${rank}`,
    ]);
    assert.deepEqual(of(stderr), Array.from({ length: 200 }, (_, i) => `[rank ${rank}] error ${i} of ${rank}`));
  }
  assert.equal(stdout.split("\n").length, 3 * 201 + 1);
});

Deno.test("with --log-dir every rank and stream has a file, and --tee shows the output as well", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const tee of [[], ["--tee"]]) {
      const args = ["--devices", "2", "--log-dir", `${folder}/logs`, ...tee, script("print_lines")];
      const { code, stdout, stderr } = await runLauncher(args);
      assert.equal(code, 0, stderr);
      assert.deepEqual([...Deno.readDirSync(`${folder}/logs`)].map(({ name }) => name).sort(), [
        ...["rank_0.stderr.log", "rank_0.stdout.log", "rank_1.stderr.log", "rank_1.stdout.log"],
      ]);
      assert.match(await Deno.readTextFile(`${folder}/logs/rank_1.stdout.log`), /^line 0 of 1 é \n[^]*\nthe end of 1$/);
      assert.match(await Deno.readTextFile(`${folder}/logs/rank_0.stderr.log`), /^error 0 of 0\n[^]*error 199 of 0\n$/);
      if (tee.length > 0) assert.match(stdout, /^\[rank 1\] the end of 1$/m);
      else assert.equal(stdout + stderr, "");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ranks have the permissions and flags of their launcher, and no more", async () => {
  const flags = ["--allow-read", "--allow-env", "--allow-run", "--allow-net", "--allow-sys", "--allow-write"];
  const { code, stdout, stderr } = await runLauncher([script("print_everything")], {
    flags: [...flags, "--no-prompt", "--allow-ffi"],
  });
  assert.equal(code, 0, stderr);
  assert.equal(printed(stdout)[0].ffi, "granted");
  assert.match((await runLauncher([script("print_everything")], { flags: ["-A", "--deny-ffi"] })).stderr, /ffi/i);
});

Deno.test("two launchers at the same time do not meet", async () => {
  const runs = await Promise.all([1, 2].map(() => runLauncher(["--devices", "2", script("print_everything")])));
  const [a, b] = runs.map(({ stdout }) => printed(stdout));
  assert.deepEqual([a.length, b.length], [2, 2]);
  assert.notEqual(a[0].weft.WEFT_RUN_ID, b[0].weft.WEFT_RUN_ID);
});

Deno.test("the store listens on the port that is asked for, and a port in use is an error", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String((taken.addr as Deno.NetAddr).port);
  const args = ["--main-port", port, script("print_everything")];
  const { code, stdout, stderr } = await runLauncher(args);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`^weft: .*port ${port}.*in use.*\n$`));
  taken.close();
  const second = await runLauncher(args);
  assert.equal(second.code, 0, second.stderr);
  assert.equal(printed(second.stdout)[0].port, Number(port));
});

Deno.test("two hosts' launchers number their ranks together and meet at one store", async () => {
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String((free.addr as Deno.NetAddr).port);
  free.close();
  const nodes = await Promise.all(["0", "1"].map((node) => {
    const args = ["--num-nodes", "2", "--node-rank", node, "--main-port", port, "--devices", "2"];
    return runLauncher([...args, script("print_everything")]);
  }));
  const ranks = nodes.flatMap(({ stdout }) => printed(stdout));
  assert.deepEqual(ranks.map(({ env }) => [env.RANK, env.LOCAL_RANK, env.NODE_RANK, env.WORLD_SIZE]), [
    ["0", "0", "0", "4"],
    ["1", "1", "0", "4"],
    ["2", "0", "1", "4"],
    ["3", "1", "1", "4"],
  ]);
  assert.deepEqual(new Set(ranks.map((rank) => rank.port)), new Set([Number(port)]));
});

Deno.test("--help lists the options and starts nothing", async () => {
  const { code, stdout, stderr } = await runLauncher(["--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /--devices N .*WEFT_DEVICES/);
});

const WRONG: [string[], RegExp][] = [
  [["--devises", "2", script("print_lines")], /did you mean `--devices`\?/],
  [
    ["no/such/script.ts"],
    /The script no\/such\/script.ts does not exist \(looked for \/.*\): give a path from \/.*or a URL/,
  ],
  [["tests"], /The script tests is a folder/],
  [["--devices", "0", script("print_lines")], /`--devices 0` is not a valid value/],
  [["--devices", "1,1", script("print_lines")], /device 1 twice/],
  [["--devices", "many", script("print_lines")], /`--devices many` is not a valid value/],
  [["--accelerator", "wsam", script("print_lines")], /did you mean wasm\?/],
  [["--node-rank", "1", script("print_lines")], /node-rank.* is 1, but must be 0 to 0 with 1 hosts/],
  [["--num-nodes", "2", script("print_lines")], /must be told the same main-port/],
  [["--main-address", "0.0.0.0", script("print_lines")], /can be reached from other hosts/],
  [
    ["--num-nodes", "2", "--main-address", "0.0.0.0", "--main-port", "29401", script("print_lines")],
    /0\.0\.0\.0 can be reached from other hosts.*encrypted with a key.*--key-file run\.key/,
  ],
  [
    ["--num-nodes", "2", "--node-rank", "1", "--main-address", "::", "--main-port", "29401", script("print_lines")],
    /can be reached from other hosts/,
  ],
];
for (const [args, message] of WRONG) {
  Deno.test(`"${args.slice(0, 2).join(" ").replace(/ \/.*/, "")}" gets one line on standard error and exit code 2`, async () => {
    const { code, stdout, stderr } = await runLauncher(args, { cwd: new URL("../..", import.meta.url).pathname });
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^weft: .*\n$/);
    assert.match(stderr, message);
  });
}

Deno.test({
  name: "cuda on a machine without one is an error that lists what is available",
  ignore: await hasCuda(),
  async fn() {
    for (const devices of [[], ["--devices", "99"]]) {
      const { code, stderr } = await runLauncher(["--accelerator", "cuda", ...devices, script("print_lines")]);
      assert.equal(code, 2);
      assert.match(stderr, /`--accelerator cuda` cannot be used on this machine: .* Available here: .*wasm, cpu/);
    }
  },
});

async function hasCuda(): Promise<boolean> {
  const { countCudaDevices } = await import("../../runtime/devices/cuda_devices.ts");
  const { count } = countCudaDevices();
  if (count > 0) console.log(`skipped where there is a GPU: cuda is missing (${count} found)`);
  return count > 0;
}

Deno.test("launcher and script run from a URL, from an empty folder", async () => {
  const root = new URL("../../", import.meta.url);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    try {
      const body = await Deno.readFile(new URL("." + new URL(request.url).pathname, root));
      return new Response(body, { headers: { "content-type": "application/typescript" } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  const cwd = await Deno.makeTempDir();
  try {
    const env = { DENO_NO_UPDATE_CHECK: "1" };
    const options = { cwd, env, launcher: `${base}/launcher/main.ts` };
    const { code, stdout, stderr } = await runLauncher(
      ["--devices", "2", `${base}/tests/launcher/scripts/print_everything.ts`, "a"],
      options,
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      printed(stdout).map(({ main, args }) => ({ main, args })),
      Array(2).fill({ main: true, args: ["a"] }),
    );
    const missing = await runLauncher([`${base}/no_such_script.ts`], options);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /no_such_script.ts cannot be loaded: the server answers 404/);
    assert.deepEqual([...Deno.readDirSync(cwd)], []);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("a reader that goes away does not end the run", async () => {
  const path = script("print_lines").replaceAll("'", "'\\''");
  const launcher = new URL("../../launcher/main.ts", import.meta.url).pathname;
  const folder = await Deno.makeTempDir();
  try {
    const command = `"${Deno.execPath()}" run -A '${launcher}' --devices 2 '${path}'; echo $? > '${folder}/code'`;
    await new Deno.Command("sh", { args: ["-c", `{ ${command}; } 2>/dev/null | head -n 1`] }).output();
    assert.equal(await Deno.readTextFile(`${folder}/code`), "0\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
