import { ActivityPage } from "./activity_page.ts";

/** What the launcher tells the ranks that live on when one fails. */
export interface PeerFailure {
  readonly rank: number;
  readonly host?: string;
  readonly step?: number;
  readonly operation?: string;
  /** How it failed, in words. */
  readonly message: string;
}

/** The operation of a rank that waits for the others to come. */
export const MEETING = "meeting the other ranks";

// The launcher's part of a process may come from another copy of these files than the script's, so that they meet at a symbol.
const holder = globalThis as unknown as { [key: symbol]: ActivityPage | undefined };
const KEY = Symbol.for("weft.activity");

/** What this process is doing: in memory that the launcher reads if there is one, else just here. */
export function activity(): ActivityPage {
  return page ??= holder[KEY] ??= new ActivityPage();
}
let page: ActivityPage | undefined;

/** Lets {@linkcode activity} be this page. Before anything else has asked for it. */
export function useActivityPage(shared: ActivityPage): void {
  page = holder[KEY] = shared;
}

/** The failure of another rank that the launcher has told, if it has. @param page where. Default: this process's */
export function peerFailure(page: ActivityPage = activity()): PeerFailure | undefined {
  const { notice } = page;
  if (notice === undefined) return undefined;
  try {
    const told = JSON.parse(notice);
    return typeof told?.rank === "number" && typeof told.message === "string" ? told : undefined;
  } catch {
    // Half written: the next look has it whole.
    return undefined;
  }
}
