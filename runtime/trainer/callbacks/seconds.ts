import { type Duration, parseDuration } from "../duration.ts";

/** The seconds of a callback's option. @throws TypeError that names the callback and the option */
export function callbackSeconds(owner: string, option: string, given: Duration): number {
  try {
    return parseDuration(option, given);
  } catch (cause) {
    throw new TypeError((cause as Error).message.replace("Trainer(", `${owner}(`), { cause });
  }
}
