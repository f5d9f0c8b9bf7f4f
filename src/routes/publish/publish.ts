import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { bodyFormats, MessageWrite } from '../../messages/index.ts'
import { PartlyPublishedSchema, PublishedSchema } from './answer.ts'
import { leaveBodiesUnread } from './body.ts'
import { publishLines } from './lines.ts'
import { publishMessages } from './messages.ts'
import type { PublishLimits } from './options.ts'
import { publishRaw } from './raw.ts'

/** Publish: several messages in one of the formats of messages, one raw body, lines. */
export const publishRoutes: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  for (const schema of [MessageWrite, PublishedSchema, PartlyPublishedSchema]) app.addSchema(schema)
  await app.register(async (scope) => {
    const formats = bodyFormats(limits.maxMessages)
    leaveBodiesUnread(scope, formats.map(({ mediaType }) => mediaType))
    publishMessages(scope, limits, formats)
  })
  await app.register(async (scope) => {
    leaveBodiesUnread(scope, '*')
    publishRaw(scope, limits)
    publishLines(scope, limits)
  })
}
