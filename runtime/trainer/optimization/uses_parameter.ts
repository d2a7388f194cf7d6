/**
 * Whether a function's source mentions its parameter number `index` in its body, or can reach it otherwise (`arguments`, rest parameters). Where the
 * source cannot be told apart, it counts as used.
 */
export function usesParameter(f: (...args: never[]) => unknown, index: number): boolean {
  const source = Function.prototype.toString.call(f);
  const start = source.indexOf("(");
  if (start < 0 || /\barguments\b/.test(source)) return true;
  const parameters = parametersFrom(source, start + 1);
  if (!parameters || parameters.some((parameter) => parameter.startsWith("..."))) return true;
  const name = parameters[index];
  if (name === undefined) return false;
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) return true;
  const mentions = source.split(/[^\p{ID_Continue}$]+/u).filter((word) => word === name);
  return mentions.length > 1;
}

/** The parameters' texts; undefined if the list does not end, or holds texts in which brackets mean nothing. */
function parametersFrom(source: string, start: number): string[] | undefined {
  const parameters: string[] = [];
  let depth = 0, begin = start;
  for (let i = start; i < source.length; i++) {
    const c = source[i];
    if (c === '"' || c === "'" || c === "`" || (c === "/" && "/*".includes(source[i + 1]))) return undefined;
    if (depth === 0 && (c === "," || c === ")")) {
      const parameter = source.slice(begin, i).trim();
      if (parameter !== "") parameters.push(parameter);
      begin = i + 1;
      if (c === ")") return parameters;
    } else if ("([{".includes(c)) depth++;
    else if (")]}".includes(c)) depth--;
  }
  return undefined;
}
