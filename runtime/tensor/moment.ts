let moment = 0;

/** Numbers that only grow: what was opened later has the larger one. */
export function nextMoment(): number {
  return ++moment;
}
