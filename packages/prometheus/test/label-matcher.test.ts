import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeLabelValue, injectMatcher, labelMatcher } from '../src/index.ts';

describe('label matchers', () => {
  it('escape quotes, backslashes and line ends', () => {
    expect(escapeLabelValue('a"b\\c\nd é')).toBe('a\\"b\\\\c\\nd é');
    expect(labelMatcher('id', 'x"y')).toBe('id="x\\"y"');
  });

  it('go into every empty pair of braces, but not into string literals or braces with matchers', () => {
    const matcher = 'id="1"';
    expect(injectMatcher('sum(rate(a{})) / sum(rate(b{ }))', matcher)).toBe(
      'sum(rate(a{id="1"})) / sum(rate(b{id="1"}))',
    );
    expect(injectMatcher('label_replace(a{}, "x", "{}", "y", "(.*)")', matcher)).toBe(
      'label_replace(a{id="1"}, "x", "{}", "y", "(.*)")',
    );
    expect(injectMatcher('a{b="c"}', matcher)).toBe('a{b="c"}');
    expect(injectMatcher('a{b="\\"{}"}', matcher)).toBe('a{b="\\"{}"}');
  });

  it('are not misled by apostrophes in comments', () => {
    expect(injectMatcher("a{} # don't {}\n + b{} # can't\n + c{}", 'x="1"')).toBe(
      'a{x="1"} # don\'t {}\n + b{x="1"} # can\'t\n + c{x="1"}',
    );
    expect(injectMatcher('a{b="#{}"} + c{}', 'x="1"')).toBe('a{b="#{}"} + c{x="1"}');
  });

  it('hold whatever value they are given within their quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const injected = injectMatcher('a{} + b{}', labelMatcher('id', value));
        expect(injectMatcher(injected, 'other="1"')).toBe(injected);
      }),
    );
  });

  it('keep replacement patterns literal', () => {
    expect(injectMatcher('a{}', 'id="$&"')).toBe('a{id="$&"}');
  });
});
