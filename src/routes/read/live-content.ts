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
