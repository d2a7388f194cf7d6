import assert from "node:assert/strict";
import { joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { posixSharedMemory } from "../../runtime/comm/posix_shared_memory.ts";
import { StoreServer } from "../../runtime/comm/store_server.ts";

const ignore = Deno.build.os !== "linux";
if (ignore) console.log("skipped: shared memory is used on Linux only");

const worker = new URL("./shared_memory_worker.ts", import.meta.url).pathname;
const mapped = () => Deno.readTextFileSync("/proc/self/maps").match(/\/weft-/g)?.length ?? 0;
const named = () => Array.from(Deno.readDirSync("/dev/shm")).filter(({ name }) => name.startsWith("weft-"));
const descriptors = () =>
  Array.from(Deno.readDirSync("/proc/self/fd")).filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).includes("/weft-");
    } catch {
      return false;
    }
  }).length;

Deno.test({
  name: "what one writes the other reads; the memory has no name, and closing leaves no mapping or descriptor",
  ignore,
  fn() {
    const bytes = 1 << 20;
    const one = posixSharedMemory.create(bytes), two = posixSharedMemory.open(one.name, bytes);
    assert.deepEqual(named(), []);
    assert.equal(mapped(), 2);
    for (const segment of [one, two]) segment.reserve(4096, 8192);
    const [here, there] = [one, two].map(({ memory }) => new Float32Array(memory.buffer));
    here[2000] = 1.5;
    assert.equal(there[2000], 1.5);
    two.close();
    two.close();
    assert.equal(there[2000], 0, "a view of closed memory reads zeros");
    assert.equal(here[2000], 1.5);
    one.close();
    assert.equal(mapped(), 0);
    assert.equal(descriptors(), 0);
    assert.throws(() => posixSharedMemory.open(one.name, bytes), /cannot open|out of sight/);
  },
});

Deno.test({
  name: "names that are no segment's are refused, also those of files that this process has open",
  ignore,
  fn() {
    for (const name of ["", "/etc/passwd", "1/2/zz", "../1/2"]) {
      assert.throws(() => posixSharedMemory.open(name, 65_536), TypeError);
    }
    for (let descriptor = 0; descriptor < 40; descriptor++) {
      const name = `${Deno.pid}/${descriptor}/${"0".repeat(32)}`;
      assert.throws(() => posixSharedMemory.open(name, 65_536), /cannot open|out of sight/);
    }
  },
});

Deno.test({
  name: "more than /dev/shm holds is refused by an error, not by a signal",
  ignore,
  fn() {
    const segment = posixSharedMemory.create(65_536);
    assert.throws(() => segment.reserve(0, 2 ** 50), /no room for 1125899906842624 bytes.*\/dev\/shm: .+/);
    segment.close();
  },
});

Deno.test({
  name: "a group that shared memory leaves nothing of it",
  ignore,
  async fn() {
    await using store = new MemoryStore();
    for (let generation = 0; generation < 3; generation++) {
      const groups = await Promise.all(
        [0, 1, 2].map((rank) => joinProcessGroup({ store, rank, worldSize: 3, generation, firstWaitUs: 0 })),
      );
      for (const length of [10_000, 2_000_000]) {
        const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array(length).fill(1))));
        for (const sum of sums) assert.ok(sum.every((value) => value === 3));
      }
      assert.equal(mapped(), 3, "the ranks do share memory");
      assert.deepEqual(named(), []);
      await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
      assert.equal(mapped(), 0);
      assert.equal(descriptors(), 0);
    }
  },
});

Deno.test({
  name: "ranks told to use messages alone share no memory, also if only one of them was told",
  ignore,
  async fn() {
    await using store = new MemoryStore();
    const groups = await Promise.all(
      [0, 1].map((rank) => joinProcessGroup({ store, rank, worldSize: 2, transport: rank ? "auto" : "zmq" })),
    );
    await Promise.all(groups.map((group) => group.allReduce(new Float32Array(100_000))));
    assert.equal(mapped(), 0);
    await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
  },
});

/** Starts ranks in processes; `before` is put in front of each command. */
function start(port: number, ranks: number, options: { before?: string[]; how: "once" | "forever" }) {
  return Array.from({ length: ranks }, (_, rank) => {
    const deno = [Deno.execPath(), "run", "-A", "--no-check", worker, ...[port, rank, ranks].map(String), options.how];
    const [command, ...args] = [...options.before ?? [], ...deno];
    return new Deno.Command(command, { args, stdout: "piped", stderr: "piped" }).spawn();
  });
}

Deno.test({
  name: "where /dev/shm is too small all ranks use messages, and rank 0 says so in one line",
  ignore,
  async fn() {
    // A /dev/shm of their own, in a mount namespace of their own.
    const mount = 'mount -t tmpfs -o size=300k tmpfs /dev/shm && exec "$@"';
    const before = ["unshare", "--mount", "--", "sh", "-c", mount, "sh"];
    const probe = await new Deno.Command(before[0], { args: [...before.slice(1), "true"], stderr: "null" }).output()
      .catch(() => undefined);
    if (!probe?.success) return console.log("skipped: this user may not mount a file system");
    await using server = await StoreServer.listen();
    const outputs = await Promise.all(start(server.port, 2, { before, how: "once" }).map((rank) => rank.output()));
    const texts = outputs.map(({ stdout, stderr }) =>
      new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)
    );
    for (const [rank, { code }] of outputs.entries()) assert.equal(code, 0, texts[rank]);
    assert.match(texts[0], /^Ranks do not share memory \(rank \d: no room for \d+ bytes.*No space.*ZeroMQ.*\ngoing\n$/);
    assert.equal(texts[1], "shared\ngoing\n", "rank 1 has nothing to say");
  },
});

Deno.test({
  name: "ranks killed in the middle of a reduction leave nothing in /dev/shm",
  ignore,
  async fn() {
    await using server = await StoreServer.listen();
    const ranks = start(server.port, 2, { how: "forever" });
    await Promise.all(ranks.map(async (rank) => {
      let text = "";
      const reader = rank.stdout.pipeThrough(new TextDecoderStream()).getReader();
      while (!text.includes("going")) {
        const { value, done } = await reader.read();
        if (done) assert.fail(`a rank ended early: ${await new Response(rank.stderr).text()}`);
        text += value;
      }
      await reader.cancel();
      assert.match(text, /^shared\n/);
      const maps = await Deno.readTextFile(`/proc/${rank.pid}/maps`);
      const segments = maps.match(/\/dev\/shm\/weft-[0-9a-f]{32} \(deleted\)/g);
      assert.equal(new Set(segments).size, 2, "the arena, and the array that needs none");
    }));
    ranks[1].kill("SIGKILL");
    await ranks[1].status;
    ranks[0].kill("SIGKILL");
    await ranks[0].status;
    await Promise.all(ranks.map((rank) => rank.stderr.cancel()));
    assert.deepEqual(named(), []);
  },
});
