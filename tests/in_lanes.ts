/** Does something with each of some items in their order, with so many at a time. */
export async function inLanes<T>(
  lanes: number,
  items: readonly T[],
  use: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  const waiting = items.entries();
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (const [index, item] of waiting) await use(item, index);
  }));
}
