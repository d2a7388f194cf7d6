import assert from "node:assert/strict";
import type { Fabric } from "../../runtime/fabric/fabric.ts";
import { Interruption, StopControl } from "../../runtime/trainer/stop_control.ts";

/** A control of one of two ranks, of which the other wants nothing, and what happens while they ask each other. */
function controlOf(meanwhile: () => void): { control: StopControl } {
  let asked = 0;
  const fabric = {
    worldSize: 2,
    agreedFlags: new Set(["stop"]),
    raiseFlag: () => {},
    allGatherObjects: async (mine: object) => {
      await Promise.resolve();
      if (asked++ === 0) meanwhile();
      return [mine, { stop: false, signal: null, preempted: false, validate: false }];
    },
  };
  return { control: new StopControl(fabric as unknown as Fabric) };
}

Deno.test("a signal that comes while ranks ask each other whether to stop is not lost", async () => {
  const { control } = controlOf(() => control.interrupt({ signal: "SIGUSR1", isPreemption: true }));
  await control.agree();
  await assert.rejects(control.agree(), Interruption);
  assert.deepEqual([control.signal, control.isPreempted], ["SIGUSR1", true]);
});

Deno.test("a wish to stop or to validate that comes meanwhile is not lost either", async () => {
  const { control } = controlOf(() => {
    control.shouldStop = true;
    control.askForValidation();
  });
  await control.agree();
  assert.deepEqual([control.isAgreed, control.takeValidation()], [false, false]);
  await control.agree();
  assert.deepEqual([control.isAgreed, control.takeValidation()], [true, true]);
});
