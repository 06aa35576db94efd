import { Decimal as DecimalJs } from 'decimal.js';

/**
 * Decimal arithmetic for quantities and rates: 40 significant digits, half-even, never an exponent
 * small enough to lose a digit of a realistic bill. Amounts of money are {@link Money}, not this.
 */
export const Decimal = DecimalJs.clone({ precision: 40, rounding: DecimalJs.ROUND_HALF_EVEN });
// An interface of its own, so that declaration files of other packages name this one and not the library.
export interface Decimal extends DecimalJs {}
