/** What a scrape says: values by series, written as in the text. Throws for what is not the text format. */
export function parseExposition(text: string): { values: Map<string, number>; types: Map<string, string> } {
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') helped.add(name);
    else if (keyword === 'TYPE') {
      if (types.has(name)) throw new Error(`${name} comes twice`);
      if (!helped.has(name)) throw new Error(`${name} has no help`);
      types.set(name, rest);
    } else {
      const match = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)$/.exec(line);
      if (match === null) throw new Error(`not a line of the text format: ${line}`);
      const [, series = '', value = ''] = match;
      const number = value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value);
      if (Number.isNaN(number) && value !== 'NaN') throw new Error(`not a number: ${line}`);
      if (values.has(series)) throw new Error(`${series} comes twice`);
      const family = series.split('{', 1)[0] ?? '';
      if (!types.has(family) && !types.has(family.replace(/_(bucket|sum|count)$/, ''))) {
        throw new Error(`${series} has no type`);
      }
      values.set(series, number);
    }
  }
  return { values, types };
}

/** Series that only grow. */
export function isCumulative(series: string, types: ReadonlyMap<string, string>): boolean {
  const name = series.split('{', 1)[0] ?? '';
  if (types.get(name) === 'counter') return true;
  return types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram';
}

/** Sum over all series of a metric. */
export function sumOf(values: ReadonlyMap<string, number>, name: string, label = ''): number {
  let sum = 0;
  for (const [series, value] of values) if (series.split('{', 1)[0] === name && series.includes(label)) sum += value;
  return sum;
}
