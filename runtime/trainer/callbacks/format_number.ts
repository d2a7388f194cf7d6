/**
 * A number by a format specification of Python: `.2f`, `02d`, `.3e`, `5.1f`, `.1%`, `.3g`. Without one, as JavaScript writes it.
 * @throws TypeError if the specification is none
 */
export function formatNumber(value: number, specification = ""): string {
  if (specification === "") return word(value) ?? String(value);
  const match = /^(0?)(\d*)(?:\.(\d+))?([dfFeEgG%]?)$/.exec(specification);
  if (!match) {
    throw new TypeError(
      `"${specification}" is no number format: use e.g. ".2f" (two decimals), "02d" (two digits with zeros) or ".3e"`,
    );
  }
  const [, zero, width, precision, kind] = match;
  const text = word(value) ?? write(value, kind, precision === undefined ? undefined : Number(precision));
  const sign = zero && text.startsWith("-") ? "-" : "";
  return sign +
    text.slice(sign.length).padStart(Number(width) - sign.length, zero && Number.isFinite(value) ? "0" : " ");
}

function word(value: number): string | undefined {
  return Number.isNaN(value) ? "nan" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : undefined;
}

function write(value: number, kind: string, precision: number | undefined): string {
  switch (kind) {
    case "d":
      return String(Math.trunc(value));
    case "f":
    case "F":
      return value.toFixed(precision ?? 6);
    case "e":
    case "E":
      return exponent(value.toExponential(precision ?? 6));
    case "%":
      return `${(value * 100).toFixed(precision ?? 6)}%`;
    default: {
      if (kind === "" && precision === undefined) return String(value);
      // Shortest of fixed and scientific, without zeros at the end.
      const text = value.toPrecision(Math.max(1, precision ?? 6));
      const [digits, power] = text.split("e");
      const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
      return power === undefined ? short : exponent(`${short}e${power}`);
    }
  }
}

/** At least two digits of exponent. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}
