import assert from "node:assert/strict";
import { script, startLauncher } from "./run_launcher.ts";
import { Witness } from "./witness.ts";

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`${signal} to the launcher lets the ranks end by themselves, and it exits with ${expected}`, async () => {
    await using witness = new Witness();
    await using launcher = startLauncher(["--devices", "2", script("save_on_term")], {
      env: { WITNESS: witness.port },
    });
    const ranks = await Promise.all(["rank 0", "rank 1"].map((name) => witness.arrival(name)));
    launcher.kill(signal);
    const { code, stdout, stderr } = await launcher.end();
    assert.equal(code, expected);
    assert.match(stdout, /^\[rank 0\] saved$/m);
    assert.match(stdout, /^\[rank 1\] saved$/m);
    assert.match(stderr, new RegExp(`^weft: stopped by ${signal}$`, "m"));
    await Promise.all(ranks.map((rank) => rank.gone));
  });
}

Deno.test("the second Ctrl-C kills at once", async () => {
  await using witness = new Witness();
  const args = ["--devices", "2", "--grace", "600", script("ignore_term")];
  await using launcher = startLauncher(args, { env: { WITNESS: witness.port } });
  const ranks = await Promise.all(["rank 0", "rank 1"].map((name) => witness.arrival(name)));
  launcher.kill("SIGINT");
  await launcher.until(/no, thanks/);
  launcher.kill("SIGINT");
  const { code, stderr } = await launcher.end();
  assert.equal(code, 130);
  assert.match(stderr, /^weft: the launcher ended the ranks: rank 0 by SIGKILL, rank 1 by SIGKILL$/m);
  await Promise.all(ranks.map((rank) => rank.gone));
});

Deno.test("ranks that ignore TERM are killed after the grace time of a Ctrl-C", async () => {
  await using witness = new Witness();
  const args = ["--devices", "2", "--grace", "0.2", script("ignore_term")];
  await using launcher = startLauncher(args, { env: { WITNESS: witness.port } });
  await Promise.all(["rank 0", "rank 1"].map((name) => witness.arrival(name)));
  launcher.kill("SIGINT");
  const { code, stderr } = await launcher.end();
  assert.equal(code, 130);
  assert.match(stderr, /rank 0 by SIGKILL, rank 1 by SIGKILL/);
});

Deno.test("when the launcher is killed, its ranks end, and what they started with them", async () => {
  await using witness = new Witness();
  await using launcher = startLauncher(["--devices", "2", script("start_sleep")], { env: { WITNESS: witness.port } });
  const names = ["rank 0", "rank 1", "child of 0", "child of 1"];
  const processes = await Promise.all(names.map((name) => witness.arrival(name)));
  launcher.kill("SIGKILL");
  await Promise.all(processes.map((process) => process.gone));
});

Deno.test("without permission for FFI a rank still ends with its launcher", async () => {
  await using witness = new Witness();
  const rank = new URL("./scripts/orphan.ts", import.meta.url);
  const parent = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", rank.pathname, "parent"],
    env: { WITNESS: witness.port },
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const orphan = await witness.arrival("orphan");
  parent.kill("SIGKILL");
  await parent.status;
  await orphan.gone;
});
