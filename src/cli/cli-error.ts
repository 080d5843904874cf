/** An error that is said to the operator as it is: one sentence, and what to do about it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    message: string,
    /** One of EXIT. */
    readonly exitCode: number,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
