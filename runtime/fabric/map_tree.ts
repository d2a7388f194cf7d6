/** A copy of nested records and arrays in which every value that `matches` is replaced. Other objects are kept as they are. */
export function mapTree<L>(tree: unknown, matches: (value: unknown) => value is L, f: (leaf: L) => unknown): unknown {
  if (matches(tree)) return f(tree);
  if (Array.isArray(tree)) return tree.map((item) => mapTree(item, matches, f));
  if (typeof tree !== "object" || tree === null || Object.getPrototypeOf(tree) !== Object.prototype) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, mapTree(value, matches, f)]));
}
