import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { bodyFormats, CloudEvent, MessageWrite } from '../../messages/index.ts'
import { PartlyPublishedSchema, PublishedSchema } from './answer.ts'
import { leaveBodiesUnread } from './body.ts'
import { publishEvents } from './events.ts'
import { TO_STREAM, TO_SUPER_STREAM } from './goal.ts'
import { publishLines } from './lines.ts'
import { publishMessages } from './messages.ts'
import type { PublishLimits } from './options.ts'
import { publishRaw } from './raw.ts'

const KINDS = [TO_STREAM, TO_SUPER_STREAM]

/**
 * Publish, to a stream or a super stream: several messages in one of the formats of messages, one raw body, lines,
 * events.
 */
export const publishRoutes: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  for (const schema of [MessageWrite, CloudEvent, PublishedSchema, PartlyPublishedSchema]) app.addSchema(schema)
  await app.register(async (scope) => {
    const formats = bodyFormats(limits.maxMessages)
    leaveBodiesUnread(scope, formats.map(({ mediaType }) => mediaType))
    for (const kind of KINDS) publishMessages(scope, limits, formats, kind)
  })
  await app.register(async (scope) => {
    leaveBodiesUnread(scope, '*')
    for (const kind of KINDS) {
      publishRaw(scope, limits, kind)
      publishLines(scope, limits, kind)
      publishEvents(scope, limits, kind)
    }
  })
}
