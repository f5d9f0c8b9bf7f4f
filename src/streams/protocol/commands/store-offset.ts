import type { Command } from './command.ts'

/**
 * Reference string, Stream string, Offset uint64
 *
 * The broker never answers: a missing permission, a missing stream or a missing leader is only a line in its log.
 */
export const storeOffset: Command<{ reference: string, stream: string, offset: bigint }> = {
  name: 'storeOffset',
  write (writer, { reference, stream, offset }) { writer.string(reference).string(stream).u64(offset) }
}
