import { Type } from '@fastify/type-provider-typebox'
import { EXAMPLE_MESSAGE } from '../../messages/index.ts'

const STATE = '{"nextOffset":0,"lastOffset":0,"lag":1,"endOfStream":false}'

/** A live answer, as the document shows it. */
export const LIVE_CONTENT = {
  mediaType: 'text/event-stream',
  schema: Type.String({
    description:
      'A live read as server-sent events. Events without a name are messages, as in a batch; `id` is where to go on. ' +
      'Named events: `state` (`nextOffset`, `lastOffset`, `lag`, `endOfStream`) at the beginning, when the end is ' +
      'reached, as a heartbeat, and with a filter after 1,000 messages that were skipped; ' +
      '`gap` (`from`, `to`: removed by retention); `reset` (`nextOffset`: the consumer ' +
      'was reset); `active` and `inactive` (`nextOffset`: with `singleActive`, whether this one gets messages); ' +
      '`problem` (the problem; the answer ends); `bye` (`reason`: `limit`, `rotation`, `draining` or `slow`, and ' +
      '`nextOffset`; the answer ends). With `follow=true` and `Accept: application/x-ndjson` the same as lines: a ' +
      'message, or an object with one key: `$state`, `$gap`, `$reset`, `$active`, `$inactive`, `$problem` or `$bye`.'
  }),
  example: `retry: 2000\nid: 0\nevent: state\ndata: ${STATE}\n\nid: 1\ndata: ${JSON.stringify(EXAMPLE_MESSAGE)}\n\n`
} as const

const CURSOR = 'AQAZARoC0kfXlw'
const MERGED_STATE = `{"nextCursor":"${CURSOR}","lag":1,"endOfStream":false,"unavailable":[]}`
const MERGED_MESSAGE = JSON.stringify({ partition: 'orders-0', ...EXAMPLE_MESSAGE })

/** A live answer of a super stream, as the document shows it. */
export const MERGED_LIVE_CONTENT = {
  mediaType: 'text/event-stream',
  schema: Type.String({
    description:
      'A live read of all partitions as server-sent events. Events without a name are messages, as in a ' +
      'batch; `id` is a cursor: where to go on in every partition. Named events are those of a stream with ' +
      'other members: `state` (`nextCursor`, `lag` of all partitions together, `endOfStream`, and ' +
      '`unavailable`: `partition`, `code` and `detail` of those that cannot be followed at the moment); ' +
      '`gap` (`partition`, `from`, `to`; `to` is null for a partition that is gone); `reset`, `active` and ' +
      '`inactive` (`partition`, `nextOffset`); `problem`; `bye` (`reason`, `nextCursor`). With ' +
      '`follow=true` and `Accept: application/x-ndjson` the same as lines; a message begins with its ' +
      '`nextCursor`.'
  }),
  example: `retry: 2000\nid: ${CURSOR}\nevent: state\ndata: ${MERGED_STATE}\n\n` +
    `id: ${CURSOR}.GQ.1\ndata: ${MERGED_MESSAGE}\n\n`
} as const
