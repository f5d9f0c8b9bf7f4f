import { Type } from '@fastify/type-provider-typebox'
import { invalidRequest } from '../../api/problems.ts'
import { canCompress, type Compression } from '../../streams/index.ts'

/** The query parameter of requests that publish while their body arrives. */
export const CompressionQuery = {
  compression: Type.Optional(
    Type.Unsafe<'none' | Compression>({
      type: 'string',
      enum: ['none', 'gzip', 'zstd'],
      description:
        'Stores up to 1,000 messages or 256 KiB as one compressed entry (a sub-entry batch). It takes less room on ' +
        'disk and in the network, and is confirmed as a whole. `none` is the same as leaving it out. `zstd` needs a ' +
        'gateway that runs on Node.js 22.15 or newer. Not with `publisher`, because RabbitMQ deduplicates entries, ' +
        'nor with filter values, which entries of this kind cannot have.'
    })
  )
}

interface Query {
  readonly compression?: 'none' | Compression
  readonly publisher?: string
  readonly filterValue?: string
}

/**
 * @param framing how the body is read: see `RequestCodec`
 * @throws RequestError when the compression does not go together with the rest of the request, or Node.js lacks it
 */
export function compressionOf (query: Query, framing: 'lines' | 'whole' = 'lines'): Compression | undefined {
  const { compression = 'none' } = query
  if (compression === 'none') return undefined
  const refused = framing === 'whole' ? NEEDS_LINES : refusal(compression, query)
  if (refused !== undefined) throw invalidRequest([{ pointer: '/query/compression', message: refused }])
  return compression
}

const NEEDS_LINES = 'needs a body of lines: NDJSON (content-type: application/x-ndjson), or those of /messages/lines'

function refusal (compression: Compression, { publisher, filterValue }: Query): string | undefined {
  if (!canCompress(compression)) return 'cannot be zstd: the gateway has to run on Node.js 22.15 or newer for it'
  if (publisher !== undefined) {
    return 'does not go together with publisher: RabbitMQ deduplicates entries, and such an entry has many messages'
  }
  return filterValue === undefined
    ? undefined
    : 'does not go together with filterValue: compressed entries have no filter values'
}
