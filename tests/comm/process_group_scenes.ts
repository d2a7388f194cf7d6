import type { ProcessGroup } from "../../runtime/comm/process_group.ts";

/** What happens in processes of their own. Where something goes wrong they return the name and message of the error. */
export const SCENES: Record<string, (group: ProcessGroup) => Promise<unknown>> = {
  "all ranks reduce": async (group) => (await group.allReduce(Float32Array.of(group.rank + 1)))[0],

  "one rank calls something else": (group) =>
    caught(() => group.rank === 1 ? group.broadcast(new Float32Array(4)) : group.allReduce(new Float32Array(4))),

  "one rank aborts while the others wait": async (group) => {
    if (group.rank === 1) {
      // The others may still be in the last round of the barrier that this rank has just left; no message tells.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await group.abort(new TypeError("the data is bad"));
      return await caught(() => group.barrier());
    }
    const first = await caught(() => group.allReduce(new Float32Array(100)));
    return { ...first, later: await caught(() => group.barrier()) };
  },

  "one rank does not come": async (group) => {
    if (group.rank === 1) {
      // It computes; what the others say reaches it in its next collective.
      const until = performance.now() + 400;
      while (performance.now() < until);
      return await caught(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await group.barrier();
      });
    }
    return await caught(() => group.allReduce(new Float32Array(1), { timeoutMs: 200 }));
  },

  "a timer fires while a rank waits": async (group) => {
    if (group.rank === 1) {
      const word = await group.broadcastObject("waiting", { root: 0 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await group.barrier();
      return word;
    }
    await group.broadcastObject("waiting", { root: 0 });
    let fired = 0;
    const timer = setInterval(() => fired++, 5);
    await group.barrier();
    clearInterval(timer);
    return fired;
  },
};

async function caught(body: () => Promise<unknown>): Promise<{ name: string; message: string; facts?: unknown }> {
  try {
    await body();
  } catch (error) {
    const { name, message, facts } = error as Error & { facts?: unknown };
    return { name, message, facts };
  }
  return { name: "none", message: "" };
}
