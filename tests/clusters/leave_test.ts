import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RunKey } from "../../runtime/core/run_key.ts";
import { inLanes } from "../in_lanes.ts";
import { RunningLauncher } from "../launcher/run_launcher.ts";
import { Network, noNetwork } from "./network.ts";

const reason = noNetwork();
if (reason) console.log(`skipped: ranks without a launcher that leave, across hosts, because ${reason}`);

const launcher = fileURLToPath(new URL("scripts/leave.ts", import.meta.url));
const MEANWHILE = /; meanwhile rank \d was in allReduce \(sum\) of 1 float64 for the rounds, called at .*leave\.ts:/;

/** How many networks there are at a time. */
const LANES = 3;
/** Deno can tell only of a step that runs alone what it leaves behind. */
const AT_ONCE = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

/** What torchrun's variables tell a rank. */
function variables(rank: number, worldSize: number, more: Record<string, string>): Record<string, string> {
  return {
    RANK: String(rank),
    WORLD_SIZE: String(worldSize),
    MASTER_PORT: "29500",
    WEFT_HEARTBEAT_TIMEOUT: "2",
    ...more,
  };
}

/** What a rank does, or what is done to it, and what the others are told. */
interface Case {
  name: string;
  how: string;
  who: number;
  told: string;
}

const GONE = "gone without a word: it was killed", SILENT = "shows no sign of life any more: it is frozen, or host";
const CASES: readonly Case[] = [
  { name: "exits with 0", how: "exit", who: 0, told: "RankFailedError: rank 0 on host0 exited with code 0 after" },
  { name: "comes to its end", how: "end", who: 1, told: "RankFailedError: rank 1 on host1 exited with code 0 after" },
  { name: "closes its group", how: "close", who: 1, told: "CollectiveMismatchError: rank 1 on host1 left the process" },
  {
    name: "throws",
    how: "throw",
    who: 1,
    told: "RankFailedError: rank 1 on host1 failed: RangeError: the batch is empty",
  },
  { name: "is killed", how: "SIGKILL", who: 0, told: `RankFailedError: rank 0 on host0 is ${GONE}, or crashed;` },
  {
    name: "is stopped",
    how: "SIGSTOP",
    who: 1,
    told: `RankFailedError: rank 1 on host1 ${SILENT}1 is cut off or down;`,
  },
  { name: "is cut off", how: "cut", who: 0, told: `RankFailedError: rank 0 on host0 ${SILENT}0 is cut off or down;` },
];
const isDone = (how: string) => how === "cut" || how.startsWith("SIG");

/** Does to the one, once all are far enough, what it does not do itself. */
async function harm(ranks: readonly RunningLauncher[], who: RunningLauncher, how: string, network?: Network) {
  if (!isDone(how)) return;
  await Promise.all(ranks.map((rank) => rank.until(/three rounds are done/)));
  if (how === "cut") await network!.cut(ranks.indexOf(who));
  else who.kill(how as Deno.Signal);
}

Deno.test({
  name: "ranks without a launcher on three hosts",
  ignore: reason !== undefined,
  ...AT_ONCE,
  fn: async (t) => {
    const key = RunKey.random().toText();
    const start = (network: Network, who: number, how: string) => {
      const more = { MASTER_ADDR: network.addresses[0], LOCAL_WORLD_SIZE: "1", WEFT_RUN_KEY: key };
      const args = [String(who), isDone(how) ? "stay" : how];
      return [0, 1, 2].map((rank) => network.launch(rank, args, { launcher, env: variables(rank, 3, more) }));
    };
    const steps = CASES.map(({ name, how, who, told }) => ({
      name: `learn that rank ${who} ${name} while they wait for it, and what they were doing`,
      fn: async () => {
        await using network = await Network.start(3);
        await using stack = new AsyncDisposableStack();
        const ranks = start(network, who, how).map((rank) => stack.use(rank));
        await harm(ranks, ranks[who], how, network);
        for (const running of ranks.filter((_, rank) => rank !== who)) {
          const { code, stdout, stderr } = await running.end();
          assert.equal(code, 3, stderr);
          const line = /^told: (.*)/m.exec(stdout)?.[1] ?? "";
          assert.ok(line.startsWith(told), line);
          if (how !== "close") assert.match(line, MEANWHILE);
        }
      },
    }));
    for (const [how, what] of [["compute", "wait for"], ["late", "may have left before"]]) {
      steps.push({
        name: `${what} one that computes for longer than the heartbeat's timeout`,
        fn: async () => {
          await using network = await Network.start(3);
          await using stack = new AsyncDisposableStack();
          for (const running of start(network, 1, how).map((rank) => stack.use(rank))) {
            const { code, stdout, stderr } = await running.end();
            assert.equal(code, 0, stdout + stderr);
            assert.match(stdout, /^the fourth gave 6$/m);
          }
        },
      });
    }
    // Most of it is waiting, so that several go on at once.
    await inLanes(LANES, steps, (step) => t.step({ ...step, ...AT_ONCE }));
  },
});

for (const { name, how, told } of CASES.filter(({ how }) => ["exit", "throw", "SIGKILL", "SIGSTOP"].includes(how))) {
  Deno.test(`a rank without a launcher learns that one on the same host ${name} while it waits for it`, async () => {
    const more = { MASTER_ADDR: "127.0.0.1", MASTER_PORT: String(freePort()) };
    const start = (rank: number) =>
      new RunningLauncher(["1", isDone(how) ? "stay" : how], { launcher, env: variables(rank, 2, more) });
    await using zero = start(0);
    await using one = start(1);
    await harm([zero, one], one, how);
    const { code, stdout, stderr } = await zero.end();
    assert.equal(code, 3, stderr);
    // A socket file, by which ranks of a host meet, is gone by then: who is frozen looks like one that was killed.
    const here = isDone(how)
      ? `RankFailedError: rank 1 on ${Deno.hostname()} is ${GONE}, is frozen, or crashed;`
      : told.replace(/rank \d on host\d/, `rank 1 on ${Deno.hostname()}`);
    assert.ok(stdout.includes(`told: ${here}`), stdout);
    assert.match(stdout, MEANWHILE);
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
