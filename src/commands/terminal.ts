/** Where a command reads and writes. */
export interface Terminal {
  readonly stdin: AsyncIterable<string | Buffer>
  readonly stdout: { write: (text: string) => unknown }
  readonly stderr: { write: (text: string) => unknown }
}
