import { mediaTypeOf } from '../media-type.ts'

/** One event in JSON. */
export const EVENT_TYPE = 'application/cloudevents+json'
/** Several events in JSON. */
export const EVENTS_TYPE = 'application/cloudevents-batch+json'

const WHOLE_EVENTS = 'application/cloudevents'

/** Whether a content type says that a body is an event, or several, as a whole: in JSON or in another format. */
export function isOfWholeEvents (contentType: string | undefined): boolean {
  return mediaTypeOf(contentType).startsWith(WHOLE_EVENTS)
}
