import { constants } from "node:os";

/** A run that was stopped and saved: start it again and it goes on (`EX_TEMPFAIL` of sysexits.h). */
export const RESUMABLE = 75;
/** What the run stands on failed, not the program: a rank or host that does not answer, a lost connection (`EX_UNAVAILABLE`). */
export const UNAVAILABLE = 69;

/** What a process exits with that a signal ended, as a shell counts: 128 and the signal's number. */
export function exitCodeOf(signal: Deno.Signal): number {
  return 128 + (constants.signals as Record<string, number>)[signal];
}
