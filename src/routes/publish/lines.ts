import { Type } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { traceHeadersOf } from '../../http/trace-headers.ts'
import { invalidRequest } from '../../api/problems.ts'
import { strictObject } from '../../api/schemas.ts'
import {
  addJsonLine, hasJsonLines, isBlank, isForm, LINES_BODY_FORMATS, mediaTypeOf, traceContextOf,
  type FilterValue, type TraceContext
} from '../../messages/index.ts'
import { MAX_OFFSET, type MessageBatch } from '../../streams/index.ts'
import { refuseForm } from './body.ts'
import { CompressionQuery, compressionOf } from './compression.ts'
import type { GoalKind } from './goal.ts'
import {
  commonFilterValue, publishingId, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishStreamed } from './streamed.ts'

const LinesQuery = strictObject({
  ...PublishQuery.properties,
  ...CompressionQuery,
  firstPublishingId: Type.Optional(
    publishingId('Publishing id of the first line; each following message has the next id. Needs `publisher`.')
  )
})

export function publishLines (app: ApiApp, limits: PublishLimits, kind: GoalKind): void {
  app.post(
    `${kind.path}/messages/lines`,
    {
      config: { problems: kind.problems, bodyFormats: LINES_BODY_FORMATS, mayLackBody: true },
      schema: {
        operationId: `publish${kind.subject}Lines`,
        tags: kind.tags,
        summary: `Publish each line as a message${kind.to}`,
        description:
          'The fastest way to publish: lines are stored byte for byte, without parsing, while the body arrives. A ' +
          'line ends with LF, which is optional after the last line. An empty line is an empty message. A CR is part ' +
          'of its line. When `Content-Type` says that the lines are JSON (`application/x-ndjson`, ' +
          '`application/jsonl`, `application/json`, any `+json`), the messages have the content type ' +
          '`application/json`, and empty lines are skipped. A form is refused with 415: `curl -d @file` takes the ' +
          'line feeds out of the file. A CSV file whose fields have quoted line feeds has to be cut into records ' +
          'by its sender.' + kind.about,
        params: kind.params,
        querystring: kind.query(LinesQuery),
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const { query, headers } = request
      const { publisher, firstPublishingId } = query
      if ((publisher === undefined) !== (firstPublishingId === undefined)) {
        throw invalidRequest([{ pointer: '/query/firstPublishingId', message: 'goes together with publisher' }])
      }
      const mediaType = mediaTypeOf(headers['content-type'])
      if (isForm(mediaType) || mediaType.startsWith('multipart/')) {
        throw refuseForm(headers, 'lines are never sent as a form')
      }
      const compression = compressionOf(query)
      const trace = limits.traceLines ? traceContextOf(traceHeadersOf(request)) : undefined
      const common = { firstPublishingId, filterValue: commonFilterValue(query), trace }
      const goal = kind.goalOf(request, query)
      return await publishStreamed({
        request,
        reply,
        limits,
        hold: (bytes) => app.holdBody(request, bytes),
        open: ({ signal }) => goal.open({ ...publishOptions(query), compression, signal }),
        turn: async () => { await app.turn(Infinity) },
        addLine: hasJsonLines(mediaType) ? jsonLines(common) : plainLines(common)
      })
    }
  )
}

type AddLine = (line: Buffer, lineNumber: number, batch: MessageBatch) => undefined

/** What is the same for all lines of a request. */
interface Common {
  readonly firstPublishingId: number | undefined
  readonly filterValue: FilterValue | undefined
  readonly trace: TraceContext | undefined
}

function plainLines ({ firstPublishingId, filterValue, trace }: Common): AddLine {
  const own = filterValue?.sections()
  const sections = trace?.after(own) ?? own
  return (line, lineNumber, batch) => {
    batch.addData(line, publishingIdOf(lineNumber, lineNumber, firstPublishingId), sections, filterValue?.bytes)
    return undefined
  }
}

// A line that is skipped takes no publishing id.
function jsonLines ({ firstPublishingId, filterValue, trace }: Common): AddLine {
  let count = 0
  return (line, lineNumber, batch) => {
    if (isBlank(line)) return undefined
    addJsonLine(line, publishingIdOf(count, lineNumber, firstPublishingId), batch, filterValue, trace)
    count++
    return undefined
  }
}

function publishingIdOf (
  index: number,
  lineNumber: number,
  firstPublishingId: number | undefined
): number | undefined {
  if (firstPublishingId === undefined) return undefined
  const id = firstPublishingId + index
  if (id > MAX_OFFSET) {
    throw invalidRequest([{
      pointer: `/${lineNumber}`,
      message: `would have a publishing id beyond ${MAX_OFFSET}: the ids count up from firstPublishingId`
    }])
  }
  return id
}
