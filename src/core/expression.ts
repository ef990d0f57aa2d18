// Scalar expressions in single assignment form, and their symbolic derivative. Layer: core.
// Value numbers: 0 … inputs-1 are the inputs, inputs+i is the result of code[i].

import { SCALAR_RULES, type Ref, type ScalarCalls, type ScalarFn } from './scalar.ts';

export interface ScalarInstruction {
  readonly fn: ScalarFn;
  readonly args: readonly Ref[];
  /** The value of a `const`. */
  readonly value?: number;
}

/** A function from `inputs` numbers to `outs.length` numbers, applied to every element by the `map` operator. */
export interface Expression {
  readonly inputs: number;
  readonly code: readonly ScalarInstruction[];
  readonly outs: readonly Ref[];
}

/** Builds an expression; equal subexpressions become one value, constants fold, x·1, x·0+…, x+0 and the like vanish. */
export class ExpressionBuilder implements ScalarCalls {
  readonly #inputs: number;
  readonly #code: ScalarInstruction[] = [];
  readonly #known = new Map<string, Ref>();

  constructor(inputs: number) {
    this.#inputs = inputs;
  }

  constant(value: number): Ref {
    return this.#emit(`const ${Object.is(value, -0) ? '-0' : value}`, { fn: 'const', args: [], value });
  }

  call(fn: ScalarFn, ...args: Ref[]): Ref {
    return this.#simplified(fn, args) ?? this.#emit(`${fn} ${args.join(' ')}`, { fn, args });
  }

  /** Adds another expression's code, its inputs bound to values of this one. @returns its outputs here */
  inline(expression: Expression, bound: readonly Ref[]): Ref[] {
    const values = [...bound];
    for (const { fn, args, value } of expression.code) {
      values.push(fn === 'const' ? this.constant(value!) : this.call(fn, ...args.map((arg) => values[arg]!)));
    }
    return expression.outs.map((out) => values[out]!);
  }

  /** The expression of these outputs, without code that they do not need. */
  finish(outs: readonly Ref[]): Expression {
    const needed = new Set<Ref>(outs);
    for (let i = this.#code.length - 1; i >= 0; i--) {
      if (needed.has(this.#inputs + i)) { for (const arg of this.#code[i]!.args) needed.add(arg); }
    }
    const renumbered = new Map<Ref, Ref>();
    for (let i = 0; i < this.#inputs; i++) renumbered.set(i, i);
    const code: ScalarInstruction[] = [];
    this.#code.forEach((instruction, i) => {
      if (!needed.has(this.#inputs + i)) return;
      renumbered.set(this.#inputs + i, this.#inputs + code.length);
      code.push({ ...instruction, args: instruction.args.map((arg) => renumbered.get(arg)!) });
    });
    return { inputs: this.#inputs, code, outs: outs.map((out) => renumbered.get(out)!) };
  }

  #emit(key: string, instruction: ScalarInstruction): Ref {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const ref = this.#inputs + this.#code.push(instruction) - 1;
    this.#known.set(key, ref);
    return ref;
  }

  #constantOf(ref: Ref): number | undefined {
    const instruction = this.#code[ref - this.#inputs];
    return instruction?.fn === 'const' ? instruction.value : undefined;
  }

  /** Only rewrites that keep IEEE results for finite values and NaN (x·0 stays, for instance). */
  #simplified(fn: ScalarFn, args: Ref[]): Ref | undefined {
    const constants = args.map((arg) => this.#constantOf(arg));
    if (args.length > 0 && constants.every((c) => c !== undefined)) {
      const [a = 0, b = 0, c = 0] = constants as number[];
      return this.constant(SCALAR_RULES[fn].evaluate(a, b, c));
    }
    const [a, b] = args as [Ref, Ref];
    if (fn === 'mul' && constants[0] === 1) return b;
    if ((fn === 'mul' || fn === 'div') && constants[1] === 1) return a;
    if (fn === 'add' && constants[0] === 0) return b;
    if ((fn === 'add' || fn === 'sub') && constants[1] === 0) return a;
    if (fn === 'mul' && constants[0] === -1) return this.call('neg', b);
    if (fn === 'mul' && a === b) return this.call('square', a);
    return undefined;
  }
}

/** An expression of one output from a function over the builder. */
export function expression(inputs: number, build: (e: ExpressionBuilder, ...args: Ref[]) => Ref): Expression {
  const e = new ExpressionBuilder(inputs);
  return e.finish([build(e, ...Array.from({ length: inputs }, (_, i) => i))]);
}

/** The identity; with another output type it is a cast. */
export const IDENTITY: Expression = { inputs: 1, code: [], outs: [0] };

/** One function applied to as many inputs as it takes. */
export function callOf(fn: ScalarFn): Expression {
  const { arity } = SCALAR_RULES[fn];
  return { inputs: arity, code: [{ fn, args: Array.from({ length: arity }, (_, i) => i) }], outs: [arity] };
}

/** Values of all outputs for given inputs, in float64. */
export function evaluateExpression(e: Expression, inputs: readonly number[]): number[] {
  const values = inputs.slice(0, e.inputs);
  for (const { fn, args, value } of e.code) {
    values.push(fn === 'const' ? value! : SCALAR_RULES[fn].evaluate(values[args[0]!] ?? 0, values[args[1]!] ?? 0, values[args[2]!] ?? 0));
  }
  return e.outs.map((out) => values[out]!);
}

/**
 * The reverse derivative: from (inputs…, gradients of the outputs…) to the gradients of the inputs named in `wanted`.
 *
 * @param given which outputs have a gradient; only these become inputs of the result
 * @returns an expression of `inputs + count(given)` inputs and `wanted.length` outputs
 */
export function differentiateExpression(y: Expression, given: readonly boolean[], wanted: readonly number[]): Expression {
  const e = new ExpressionBuilder(y.inputs + given.filter(Boolean).length);
  const values: Ref[] = Array.from({ length: y.inputs }, (_, i) => i);
  for (const { fn, args, value } of y.code) {
    values.push(fn === 'const' ? e.constant(value!) : e.call(fn, ...args.map((arg) => values[arg]!)));
  }
  const gradients = new Map<number, Ref>();
  const accumulate = (value: number, d: Ref): void => {
    const before = gradients.get(value);
    gradients.set(value, before === undefined ? d : e.call('add', before, d));
  };
  let next = y.inputs;
  y.outs.forEach((out, i) => {
    if (given[i]) accumulate(out, next++);
  });
  for (let i = y.code.length - 1; i >= 0; i--) {
    const d = gradients.get(y.inputs + i);
    if (d === undefined) continue;
    const { fn, args } = y.code[i]!;
    const partials = SCALAR_RULES[fn].derivative(e, args.map((arg) => values[arg]!), values[y.inputs + i]!, d);
    args.forEach((arg, slot) => {
      const partial = partials[slot];
      if (partial !== null && partial !== undefined) accumulate(arg, partial);
    });
  }
  return e.finish(wanted.map((input) => gradients.get(input) ?? e.constant(0)));
}

/** Register code for an interpreter: inputs lie in registers 0 … inputs-1, a register is free after its last use. */
export interface RegisterCode {
  readonly registers: number;
  readonly code: readonly { readonly fn: ScalarFn; readonly dst: number; readonly args: readonly number[]; readonly value?: number }[];
  readonly outs: readonly number[];
}

/** Assigns registers by last use (linear scan). Inputs keep theirs, so that a tile may be loaded just once. */
export function allocateRegisters(e: Expression): RegisterCode {
  const lastUse = new Map<Ref, number>();
  e.code.forEach(({ args }, i) => args.forEach((arg) => lastUse.set(arg, i)));
  for (const out of e.outs) lastUse.set(out, Infinity);
  const registerOf = new Map<Ref, number>();
  for (let i = 0; i < e.inputs; i++) registerOf.set(i, i);
  const free: number[] = [];
  let registers = e.inputs;
  const code = e.code.map(({ fn, args, value }, i) => {
    const sources = args.map((arg) => registerOf.get(arg)!);
    for (const arg of new Set(args)) if (arg >= e.inputs && lastUse.get(arg) === i) free.push(registerOf.get(arg)!);
    const dst = free.pop() ?? registers++;
    registerOf.set(e.inputs + i, dst);
    return { fn, dst, args: sources, ...(value === undefined ? {} : { value }) };
  });
  return { registers, code, outs: e.outs.map((out) => registerOf.get(out)!) };
}

/** `silu: (a0 · sigmoid(a0))`-like text, for printed graphs. */
export function showExpression(e: Expression): string {
  const text: string[] = Array.from({ length: e.inputs }, (_, i) => `x${i}`);
  for (const { fn, args, value } of e.code) text.push(fn === 'const' ? String(value) : `${fn}(${args.map((arg) => text[arg]).join(', ')})`);
  return e.outs.map((out) => text[out]).join('; ');
}
