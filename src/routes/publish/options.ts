import { Type, type Static } from '@fastify/type-provider-typebox'
import { invalidRequest } from '../../api/problems.ts'
import { BODY_PROBLEMS, BROKER_PROBLEMS, json, publisherName, strictObject } from '../../api/schemas.ts'
import { FilterValue, type MessageLimits } from '../../messages/index.ts'
import { MAX_OFFSET, type PublishOptions } from '../../streams/index.ts'
import { toRequestError } from './body.ts'
import { PartlyPublishedSchema, PublishedSchema } from './answer.ts'
import type { StreamedLimits } from './streamed.ts'

/** Bounds of a publish. */
export interface PublishLimits extends StreamedLimits, MessageLimits {
  maxBodyBytes: number
  maxMessages: number
  /** Whether lines get the trace context of their request. */
  traceLines: boolean
}

/** A publishing id that a caller names. */
export function publishingId (description: string) {
  return Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description })
}

/** The query parameters of every publish. */
export const PublishQuery = strictObject({
  publisher: Type.Optional(
    publisherName(
      'With it every message needs a publishing id, and the broker stores no id twice. Send one request at a time ' +
      'under a publisher name.'
    )
  ),
  filterValue: Type.Optional(
    Type.String({
      minLength: 1,
      'x-documented': { maxLength: 255 },
      description: 'The filter value of the messages without a value of their own: 1 to 255 bytes of UTF-8.',
      examples: ['emea']
    })
  ),
  expectedLastPublishingId: Type.Optional(
    publishingId('Refuse with 412 unless this is the last publishing id that the broker has stored for the publisher.')
  )
})

/** @throws RequestError when an expectation is given without a publisher */
export function publishOptions ({ publisher, expectedLastPublishingId }: Static<typeof PublishQuery>): PublishOptions {
  if (expectedLastPublishingId !== undefined && publisher === undefined) {
    throw invalidRequest([{ pointer: '/query/expectedLastPublishingId', message: 'needs publisher' }])
  }
  return {
    publisher,
    expectedLastPublishingId: expectedLastPublishingId === undefined ? undefined : BigInt(expectedLastPublishingId)
  }
}

/** The filter value for all messages of a request. @throws RequestError when it is too long */
export function commonFilterValue ({ filterValue }: Static<typeof PublishQuery>): FilterValue | undefined {
  if (filterValue === undefined) return undefined
  try {
    return new FilterValue(filterValue, '/query/filterValue')
  } catch (error) {
    throw toRequestError(error)
  }
}

export const PUBLISH_PROBLEMS = [
  ...BROKER_PROBLEMS,
  ...BODY_PROBLEMS,
  'expectation_failed',
  'publisher_overtaken',
  'publisher_exhausted',
  'draining',
  'confirm_timeout'
] as const

/** The answers to a publish of one message. */
export const ONE_PUBLISHED = {
  200: json('Every message is stored, now or earlier.', PublishedSchema, { confirmed: 2, duplicates: 0 })
}

/** The answers to a publish of several messages. */
export const SEVERAL_PUBLISHED = {
  ...ONE_PUBLISHED,
  207: json('Some messages are stored and some are not.', PartlyPublishedSchema, {
    confirmed: 1,
    duplicates: 0,
    results: [{ index: 1, status: 'unknown', code: 'confirm_timeout' }]
  })
}
