/** Graphite's target expressions, read as far as dashboards use them: calls, paths, numbers and texts in quotes. */

export type Expression =
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string };

/** Throws with the place and what was expected there. */
export function parseExpression(text: string): Expression {
  let at = 0;
  const fail = (expected: string): never => {
    throw new Error(`${text}\ncharacter ${at + 1}: expected ${expected}, found "${text.slice(at, at + 20)}"`);
  };
  const take = (pattern: RegExp): string | undefined => {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = at;
    const [found] = sticky.exec(text) ?? [];
    if (found !== undefined) at += found.length;
    return found;
  };
  const expression = (): Expression => {
    const quoted = take(/"[^"\\]*"/);
    if (quoted !== undefined) return { kind: 'text', value: quoted.slice(1, -1) };
    const number = take(/-?\d+(?:\.\d+)?(?=[,)])/);
    if (number !== undefined) return { kind: 'number', value: Number(number) };
    const name = take(/[A-Za-z][A-Za-z0-9]*(?=\()/);
    if (name === undefined)
      return { kind: 'path', path: take(/[A-Za-z0-9_$*-](?:[A-Za-z0-9_$*.-]|\{\w+\})*/) ?? fail('a path') };
    const args: Expression[] = [];
    do {
      at += 1;
      args.push(expression());
    } while (text[at] === ',');
    if (take(/\)/) === undefined) fail('a comma or a bracket that closes');
    return { kind: 'call', name, args };
  };
  const whole = expression();
  if (at < text.length) fail('the end');
  return whole;
}

/** Every call in it, from the outside. */
export function callsIn(expression: Expression): Extract<Expression, { kind: 'call' }>[] {
  if (expression.kind !== 'call') return [];
  return [expression, ...expression.args.flatMap(callsIn)];
}

export function pathsIn(expression: Expression): string[] {
  if (expression.kind === 'path') return [expression.path];
  return expression.kind === 'call' ? expression.args.flatMap(pathsIn) : [];
}
