import assert from "node:assert/strict";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import { CheckpointError } from "../../runtime/core/errors.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { inTemporaryFolder, namesIn } from "../temporary_folder.ts";

const floats = (count: number): StateDict => ({
  w: { dtype: "float32", shape: [count], data: new Float32Array(count).fill(1) },
});

Deno.test("a full disk leaves the old checkpoint and nothing else, and the error says what to do", async (t) => {
  await inTemporaryFolder(async (folder) => {
    const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder] })
      .output()
      .catch(() => ({ success: false }));
    if (!mount.success) {
      console.log("skipped: a small disk can be mounted as root on Linux only");
      await t.step({ name: "needs the right to mount", ignore: true, fn() {} });
      return;
    }
    try {
      const path = `${folder}/last.ckpt`;
      await writeCheckpoint(path, floats(10));
      await assert.rejects(writeCheckpoint(path, floats(1_000_000)), (error) => {
        assert.ok(error instanceof CheckpointError);
        assert.equal(error.path, path);
        assert.match(error.message, /Could not save the checkpoint .*last\.ckpt: failed to write it .*No space left/);
        assert.match(error.message, /Free space on the disk of .* What was at this path before is unchanged\./);
        assert.ok(error.cause instanceof Error);
        return true;
      });
      assert.deepEqual(await namesIn(folder), ["last.ckpt"]);
      assert.deepEqual(await readCheckpoint(path), floats(10));
    } finally {
      await new Deno.Command("umount", { args: [folder] }).output();
    }
  });
});

Deno.test("a file where a folder should be, and a folder where the file should be, are named", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assert.rejects(
      writeCheckpoint(`${folder}/file/a.ckpt`, {}),
      /failed to make its folder .*file, not a folder/,
    );
    await Deno.mkdir(`${folder}/a.ckpt/inside`, { recursive: true });
    await assert.rejects(writeCheckpoint(`${folder}/a.ckpt`, {}), /failed to rename .*There is a folder of this name/);
    assert.deepEqual(await namesIn(folder), ["a.ckpt", "file"]);
  });
});

Deno.test("an abort in the middle leaves the old checkpoint and nothing else", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/a.ckpt`;
    await writeCheckpoint(path, floats(10));
    const abort = new AbortController();
    const writing = writeCheckpoint(path, floats(5_000_000), { signal: abort.signal });
    while ((await namesIn(folder)).length < 2) await Promise.resolve();
    abort.abort(new Error("stop here"));
    await assert.rejects(writing, /^Error: stop here$/);
    assert.deepEqual(await namesIn(folder), ["a.ckpt"]);
    assert.deepEqual(await readCheckpoint(path), floats(10));
    await assert.rejects(writeCheckpoint(path, floats(1), { signal: abort.signal }), /stop here/);
    await assert.rejects(readCheckpoint(path, { signal: abort.signal }), /stop here/);
  });
});

Deno.test("a process killed in the middle leaves the old checkpoint", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/a.ckpt`;
    await writeCheckpoint(path, floats(10));
    const module = new URL("../../runtime/checkpoint/write_checkpoint.ts", import.meta.url);
    const script = `
      import { writeCheckpoint } from ${JSON.stringify(module)};
      const w = { dtype: "float32", shape: [2 ** 26], data: new Float32Array(2 ** 26) };
      const writing = writeCheckpoint(${JSON.stringify(path)}, { w });
      while (!Array.from(Deno.readDirSync(${JSON.stringify(folder)})).some(({ name }) => name.endsWith(".tmp"))) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      Deno.kill(Deno.pid, "SIGKILL");
      await writing;`;
    const { signal } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--quiet", `data:application/typescript,${encodeURIComponent(script)}`],
      stdout: "null",
    }).output();
    assert.equal(signal, "SIGKILL");
    assert.deepEqual(await readCheckpoint(path), floats(10));
  });
});

Deno.test("what a checkpoint cannot hold is refused with its place, and no file appears", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/sub/a.ckpt`;
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    let deep: unknown = 1;
    for (let i = 0; i < 1000; i++) deep = [deep];
    const host = (dtype: string, shape: unknown, data: unknown) => ({ m: { w: { dtype, shape, data } } });
    const cases: [unknown, RegExp][] = [
      [{ a: [{ when: new Date(0) }] }, /cannot hold the Date at `a\.0\.when`.*plain values/],
      [{ f: () => 1 }, /cannot hold the function at `f`/],
      [{ s: Symbol("x") }, /cannot hold the symbol at `s`/],
      [{ bytes: new Uint8Array(2) }, /cannot hold the Uint8Array at `bytes`.*host tensor, \{ dtype, shape, data \}/],
      [{ map: new Map() }, /cannot hold the Map at `map`/],
      [{ t: { dataId: {}, shape: [1] } }, /^$/],
      [cyclic, /contains itself at `self`/],
      [{ deep }, /nested deeper than 200/],
      [host("float8", [1], new Uint8Array(1)), /`m\.w` has the type "float8", which is not known/],
      [
        host("float32", [2], new Float64Array(2)),
        /float32 tensor at `m\.w` needs a Float32Array as data, but has a Float64Array/,
      ],
      [host("float32", [3], new Float32Array(2)), /`m\.w` has the shape \[3\], but 2 values/],
      [host("float32", [-2, -1], new Float32Array(2)), /has the shape \[-2, -1\]/],
    ];
    class Tensor {
      dataId = {};
    }
    cases[5] = [{ t: new Tensor() }, /cannot hold the Tensor at `t`.*read it into a host tensor first/];
    for (const [state, message] of cases) {
      await assert.rejects(writeCheckpoint(path, state as StateDict), (error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError);
        assert.match(error.message, message);
        return true;
      });
    }
    assert.deepEqual(await namesIn(folder), []);
  });
});

Deno.test("the same object in two places is no cycle", async () => {
  await inTemporaryFolder(async (folder) => {
    const shared = { x: 1 };
    await writeCheckpoint(`${folder}/a`, { a: shared, b: [shared, shared] });
    assert.deepEqual(await readCheckpoint(`${folder}/a`), { a: shared, b: [shared, shared] });
  });
});
