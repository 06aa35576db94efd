import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../src/http/parse-json.ts';

const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

/** What the language itself says of each number's source. */
function bySource(text: string): unknown {
  try {
    return parseWithSource(text, (_key, value, { source }) => (typeof value === 'number' ? source : value));
  } catch {
    return undefined;
  }
}

const exact = (text: string): unknown => parseJson(text, { exactNumbers: true });

function isAsTheLanguageSays(source: string): void {
  expect(exact(source)).toEqual(bySource(source));
}

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('0', '-0', '-0.0', '1E5', '1e+06', '-12.50', '123456789012345678901234567890.10'),
);
// Of names with a backslash the language itself, with and without sources, is not always right (V8 13.6).
const plain = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter((value) => !JSON.stringify(value).includes('\\')),
  fc.constantFrom('12', 'T00:00:00Z', ':1', ',2', '-3', '{4'),
);
const escaped = fc.constantFrom('"', '\\', '\\"', 'a":1,"b', '\\\\":-5', '\n');
const space = fc.constantFrom('', ' ', '\n\t');

/** Texts of JSON, with numbers as the language does not write them. */
function jsonWith(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.letrec<{ json: string }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      number,
      texts.map((value) => JSON.stringify(value)),
      fc.constantFrom('true', 'false', 'null'),
      fc
        .tuple(fc.array(tie('json'), { maxLength: 4 }), space)
        .map(([all, gap]) => `[${gap}${all.join(`${gap},`)}]`),
      fc.tuple(fc.array(fc.tuple(plain, tie('json')), { maxLength: 4 }), space).map(([all, gap]) => {
        const members = all.map(([name, one]) => `${JSON.stringify(name)}${gap}:${gap}${one}`);
        return `{${members.join(',')}}`;
      }),
    ),
  })).json;
}

describe('reading an answer with exact numbers', () => {
  it('gives every number as it was written, whatever stands around it', () => {
    fc.assert(fc.property(jsonWith(fc.oneof(plain, escaped)), isAsTheLanguageSays), { numRuns: 500 });
  });

  it('refuses what is no JSON', () => {
    const broken = [
      '{1:2}',
      '{"a":1,2 :3}',
      '01',
      '1.',
      '.5',
      '-',
      '- 1',
      '+1',
      '1e',
      '0x10',
      '[1 2]',
      '"1',
      '1"a"',
      // Strings without end, which a quote behind them would end.
      String.raw`"\1.50`,
      String.raw`"a\"\1e5`,
      String.raw`["\NaN]`,
    ];
    for (const source of [...broken, '{"a":"\\"}', '[1,]', '']) expect(exact(source)).toBeUndefined();
  });

  it('refuses or takes a text with one character changed as the language does', () => {
    const changed = fc
      .tuple(jsonWith(plain), fc.nat(), fc.constantFrom(...'0-.e:," {}[]x'))
      .map(([source, place, one]) => {
        const at = place % (source.length + 1);
        return source.slice(0, at) + one + source.slice(at + 1);
      });
    fc.assert(fc.property(changed, isAsTheLanguageSays), { numRuns: 1000 });
  });

  it('takes the words that are no numbers as text', () => {
    expect(exact('{"a":NaN,"b":-Infinity,"c":"NaN","d":1.50}')).toEqual({
      a: 'NaN',
      b: '-Infinity',
      c: 'NaN',
      d: '1.50',
    });
  });
});
