import { closest } from "../runtime/core/suggest.ts";
import { DDPStrategy } from "./ddp.ts";
import { LocalSGDStrategy } from "./local_sgd.ts";
import { SingleDeviceStrategy } from "./single_device.ts";
import type { Strategy, StrategyName } from "./strategy.ts";

const NAMES: readonly StrategyName[] = ["auto", "ddp", "dp", "local_sgd", "single_device"];

/**
 * The strategy meant by a name (in any case) or given as an object. `auto` is one device without, several with `ddp`.
 * @throws TypeError naming the strategies there are; RangeError if `single_device` is asked for with several ranks
 */
export function resolveStrategy(given: StrategyName | Strategy | undefined, worldSize: number): Strategy {
  if (typeof given === "object") return given;
  const name = (given ?? "auto").toLowerCase();
  switch (name) {
    case "auto":
      return worldSize > 1 ? new DDPStrategy() : new SingleDeviceStrategy();
    case "ddp":
      return worldSize > 1 ? new DDPStrategy() : new SingleDeviceStrategy();
    case "dp":
      return worldSize > 1 ? new DDPStrategy({ splitBatch: true }) : new SingleDeviceStrategy();
    case "local_sgd":
      return worldSize > 1 ? new LocalSGDStrategy() : new SingleDeviceStrategy();
    case "single_device":
      if (worldSize > 1) {
        throw new RangeError(`strategy "single_device" cannot run ${worldSize} ranks: use "ddp", or \`devices: 1\``);
      }
      return new SingleDeviceStrategy();
    default: {
      const meant = closest(name, NAMES);
      throw new TypeError(
        `You selected an invalid strategy name: \`strategy="${given}"\`.${meant ? ` Did you mean "${meant}"?` : ""} ` +
          `It must be one of ${NAMES.join(", ")}, or a strategy such as \`new DDPStrategy()\`.`,
      );
    }
  }
}
