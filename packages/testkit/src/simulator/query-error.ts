/** A query or a parameter that the server refuses; becomes HTTP 400 with `errorType` `bad_data`. */
export class QueryError extends Error {
  override readonly name = 'QueryError';

  /** The refusal of a query at a character of it, counted from 0, worded as a Prometheus server does. */
  static at(position: number, message: string): QueryError {
    return new QueryError(`1:${position + 1}: parse error: ${message}`);
  }
}
