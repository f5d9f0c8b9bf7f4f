import type { Request } from './command.ts'

/**
 * Stream string -> Statistics [Key string, Value int64]
 *
 * `first_chunk_id`, `last_chunk_id` and `committed_chunk_id`, each -1 before the first such chunk; from 4.3 on
 * also `committed_offset`.
 */
export const streamStats: Request<{ stream: string }, ReadonlyMap<string, bigint>> = {
  name: 'streamStats',
  write (writer, { stream }) { writer.string(stream) },
  read (reader) { return reader.map((from) => from.i64()) }
}
