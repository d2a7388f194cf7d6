/** `fail_by_generation.ts HOW…`: in generation N rank 1 fails as the Nth HOW says, if there is one; else all ranks say where they are. */
import { activity } from "../../../runtime/core/activity.ts";
import { attend } from "./attend.ts";

const { RANK, WEFT_RESTART, WITNESS } = Deno.env.toObject();
const how = Deno.args[Number(WEFT_RESTART)];
console.log(`generation ${WEFT_RESTART}`);
if (how !== undefined && how !== "none") {
  if (RANK === "1") {
    const [what, step] = how.split(":");
    activity().setStep(Number(step));
    activity().enter("trainingStep");
    if (what === "throw") throw new RangeError(`lost the data of port ${Deno.pid}`);
    if (what === "exit") Deno.exit(Number(step));
    Deno.kill(Deno.pid, "SIGKILL");
  }
  activity().setStep(3);
  activity().enter("backward");
  // Nobody answers: the rank waits until it is ended.
  const { told } = WITNESS ? await attend(`rank ${RANK}`) : { told: new Promise(() => setInterval(() => {}, 1_000)) };
  await told;
}
