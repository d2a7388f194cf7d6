import { clockSeconds } from "../core/duration.ts";

/** A length of time: `"DD:HH:MM:SS"`, in which days and hours may be left out, or its parts. */
export type Duration = string | { days?: number; hours?: number; minutes?: number; seconds?: number };

/** @returns seconds @throws TypeError or RangeError that names the option */
export function parseDuration(option: string, given: Duration): number {
  if (typeof given === "string") {
    const seconds = clockSeconds(given.trim());
    if (seconds !== undefined) return seconds;
  } else if (typeof given === "object" && given !== null) {
    const { days = 0, hours = 0, minutes = 0, seconds = 0, ...rest } = given;
    const total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    if (Object.keys(rest).length === 0 && Number.isFinite(total) && total >= 0) return total;
  }
  throw new TypeError(
    `\`Trainer({ ${option} })\` must be "DD:HH:MM:SS" or { days, hours, minutes, seconds }, but got ${
      JSON.stringify(given)
    }`,
  );
}
