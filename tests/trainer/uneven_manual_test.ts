import assert from "node:assert/strict";
import { inTemporaryFolder } from "../temporary_folder.ts";

const root = new URL("../../", import.meta.url);

interface Found {
  weights: Record<string, number[]>;
  /** Batches of each epoch. */
  seen: number[];
}

function fit(
  { data, batches, limit }: { data: "counted" | "stream"; batches: number[]; limit?: number },
): Promise<{ code: number; err: string; ranks: Found[] }> {
  return inTemporaryFolder(async (folder) => {
    const file = `${folder}/found.json`;
    const script = ["tests/trainer/scripts/fit_manual_uneven.ts", file, data, JSON.stringify(batches)];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "launcher/main.ts", "--devices", String(batches.length), ...script],
        ...limit === undefined ? [] : [String(limit)],
      ],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    const ranks = code === 0 ? JSON.parse(await Deno.readTextFile(file)) : [];
    return { code, err: new TextDecoder().decode(stderr), ranks };
  });
}

/** All ranks used so many batches in both epochs, and ended with the same weights. */
function checkCut({ code, err, ranks }: Awaited<ReturnType<typeof fit>>, used: number): void {
  assert.equal(code, 0, err);
  for (const { weights, seen } of ranks) {
    assert.deepEqual(seen, [used, used]);
    assert.deepEqual(weights, ranks[0].weights);
  }
}

/** What is said about uneven batches. */
function said(err: string): string[] {
  return err.split("\n").filter((line) => line.includes("uneven-batches"));
}

const WHY = "because in manual optimization every rank needs as many [uneven-batches]";

for (const [batches, used, left] of [[[4, 2], 2, 2], [[4, 1, 2], 1, 4]] as [number[], number, number][]) {
  Deno.test(`in manual optimization ranks with ${batches} batches use as many, and rank 0 says once how many are left out`, async () => {
    const found = await fit({ data: "counted", batches });
    checkCut(found, used);
    assert.deepEqual(said(found.err), [
      `[rank 0] warning: ranks have ${batches.join(", ")} training batches: each epoch uses ${used} of each rank and ` +
      `leaves ${left} out, ${WHY}`,
    ]);
  });
}

Deno.test("with data that does not say its length the epoch ends for all when one rank has run out, and rank 0 says so once", async () => {
  for (const batches of [[4, 2], [2, 4]]) {
    const found = await fit({ data: "stream", batches });
    checkCut(found, 2);
    assert.deepEqual(said(found.err), [
      `[rank 0] warning: rank ${
        batches.indexOf(2)
      } has no more than 2 training batches: each epoch uses 2 of each rank ` +
      `and leaves the others out, ${WHY}`,
    ]);
  }
});

Deno.test("nothing is said where a limit leaves as many to every rank", async () => {
  for (const data of ["counted", "stream"] as const) {
    const found = await fit({ data, batches: [4, 2], limit: 2 });
    checkCut(found, 2);
    assert.deepEqual(said(found.err), []);
  }
});

Deno.test("the number that is left out is that of what the limit would have used", async () => {
  const found = await fit({ data: "counted", batches: [4, 2], limit: 3 });
  checkCut(found, 2);
  assert.match(said(found.err)[0], /ranks have 3, 2 training batches: each epoch uses 2 of each rank and leaves 1 out/);
});

Deno.test("a rank without a batch in manual optimization is an error that names it", async () => {
  for (const data of ["counted", "stream"] as const) {
    const { code, err } = await fit({ data, batches: [3, 0] });
    assert.notEqual(code, 0);
    assert.match(err, /rank 1 has no training batches, so that the others could use none/);
  }
});
