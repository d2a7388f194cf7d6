/**
 * A sum without rounding, so that it does not depend on the order of its terms or on how they are spread over ranks.
 *
 * Source: J. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997: the sum is kept as
 * numbers of growing size that do not overlap; an addition costs a few operations for each, usually two.
 */
export class ExactSum {
  #partials: number[] = [];
  /** Sum of what is not finite, which the algorithm cannot handle. */
  #special = 0;

  add(term: number): void {
    if (!Number.isFinite(term)) {
      this.#special += term;
      return;
    }
    const partials = this.#partials;
    let kept = 0, x = term;
    for (let i = 0; i < partials.length; i++) {
      let y = partials[i];
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low !== 0) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }

  /** The sum, rounded once. */
  get value(): number {
    if (this.#special !== 0) return this.#special;
    const partials = this.#partials;
    let i = partials.length - 1;
    if (i < 0) return 0;
    let high = partials[i], low = 0;
    while (i > 0) {
      const x = high, y = partials[--i];
      high = x + y;
      low = y - (high - x);
      if (low !== 0) break;
    }
    // Half-way cases round to even only if what lies below is looked at too.
    if (i > 0 && ((low < 0 && partials[i - 1] < 0) || (low > 0 && partials[i - 1] > 0))) {
      const y = low * 2, x = high + y;
      if (y === x - high) high = x;
    }
    return high;
  }

  /** Numbers that add up to the sum, for {@linkcode addAll} on another rank or in another process. */
  get terms(): number[] {
    return this.#special === 0 ? [...this.#partials] : [...this.#partials, this.#special];
  }

  addAll(terms: readonly number[]): void {
    for (const term of terms) this.add(term);
  }
}
