/** A run that was stopped and saved: start it again and it goes on (`EX_TEMPFAIL` of sysexits.h). */
export const RESUMABLE = 75;
/** What the run stands on failed, not the program: a rank or host that does not answer, a lost connection (`EX_UNAVAILABLE`). */
export const UNAVAILABLE = 69;
