import type { Command } from './command.ts'

/**
 * Reference string, Stream string, Offset uint64
 *
 * Never answered: a missing permission, a missing stream or a missing leader are lines in the broker's log and nothing
 * else.
 */
export const storeOffset: Command<{ reference: string, stream: string, offset: bigint }> = {
  name: 'storeOffset',
  write (writer, { reference, stream, offset }) { writer.string(reference).string(stream).u64(offset) }
}
