import type { ProblemCode } from './problem-codes.ts'
import { PUSH_PROBLEMS } from './problem-table-push.ts'
import { SERVER_PROBLEMS, type ProblemDefinition } from './problem-table-server.ts'

/** The only place where a code becomes a status. docs/errors.md and `/problems/{code}` are made from this table. */
export const PROBLEMS = {
  bad_request: {
    status: 400,
    title: 'Bad request',
    when: 'The request is not HTTP, not JSON or not UTF-8, or its URL cannot be decoded. For JSON, `detail` and ' +
      '`errors` name line and column, and the message.',
    remedy: 'Correct the request. Unchanged, it fails again.'
  },
  validation_failed: {
    status: 400,
    title: 'Validation failed',
    when: 'A parameter, a name, a header or a field of the body is missing, unknown or out of bounds. `errors` names ' +
      'up to 20 of them.',
    remedy:
      'Correct what `errors` names. After a streamed publish, `published` says what became of the messages before ' +
      'the bad one.'
  },
  invalid_cloudevent: {
    status: 400,
    title: 'Not a CloudEvent',
    when: 'An event does not follow CloudEvents 1.0: a required attribute is missing (`id`, `source`, `specversion`, ' +
      '`type`), or an attribute or its data is not of the right kind. `errors` names up to 20 of them.',
    remedy: 'Correct what `errors` names. Nothing was stored.'
  },
  cursor_invalid: {
    status: 400,
    title: 'Cursor invalid',
    when: 'The cursor was not made by this gateway for this super stream, or it was cut or changed.',
    remedy: 'Pass `nextCursor` of an answer of the same super stream unchanged. Without one, start with `offset=`.'
  },
  unauthorized: {
    status: 401,
    title: 'Unauthorized',
    when: 'The request has no credential, or one that is not valid: unknown, expired, withdrawn or malformed. The ' +
      'log of the gateway says which; the answer does not. A credential can also end while a request waits.',
    remedy: 'Send a valid credential in `Authorization`. `WWW-Authenticate` lists the kinds that are accepted.'
  },
  access_refused: {
    status: 403,
    title: 'Access refused',
    when: 'The caller is known and may not do this; `detail` names the verb and the stream. Or RabbitMQ does not ' +
      "let the user do it: the caller's own with `AUTH=rabbitmq`, otherwise that of the gateway.",
    remedy:
      'Give the caller the verb, or the user on RabbitMQ the permission: configure to create and delete, write to ' +
      'publish, read for everything else. `GET /v1/whoami` shows what a caller may do.'
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    when: 'A web page of another origin made the request. Nothing of it was read.',
    remedy: 'Name the origin of the page in `CORS_ORIGINS`. Behind a proxy, pass on the `Host` of the client.'
  },
  stream_not_found: {
    status: 404,
    title: 'Stream not found',
    when: 'The stream does not exist. When a super stream has the name, `superStream` is true and `partitions` names ' +
      'its streams.',
    remedy: 'Create it with `PUT /v1/streams/{stream}`. A super stream is used by `/v1/super-streams/{superStream}`.'
  },
  super_stream_not_found: {
    status: 404,
    title: 'Super stream not found',
    when: 'The super stream does not exist. Or the name belongs to something else: a stream, or an exchange whose ' +
      'streams are not named as partitions are, `{superStream}-{key}`.',
    remedy: 'Create it with `PUT /v1/super-streams/{superStream}`. A stream is used by `/v1/streams/{stream}`.'
  },
  consumer_offset_not_found: {
    status: 404,
    title: 'No offset is stored for the consumer',
    when: 'Nothing was stored under this consumer name, or the broker dropped it together with old messages.',
    remedy: 'Read with the consumer name anyway: `from` says where it starts.'
  },
  message_not_found: {
    status: 404,
    title: 'Message not found',
    when: 'No message has this offset: it is beyond the end, was removed by retention, or belongs to a record of the ' +
      'broker itself.',
    remedy: 'Read from that offset on: `GET /v1/streams/{stream}/messages?offset=`.'
  },
  route_not_found: {
    status: 404,
    title: 'Route not found',
    when: 'This API does not have the path.',
    remedy: 'See `/docs`. Names in paths are percent-encoded: a `/` in a name is `%2F`.'
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    when: 'The path exists, but not for this method. `Allow` lists its methods.',
    remedy: 'Use one of them.'
  },
  not_acceptable: {
    status: 406,
    title: 'Not acceptable',
    when: '`Accept` excludes every type that this answer can have.',
    remedy: 'Accept `application/json`; for reads also `application/x-ndjson`; for reads of events ' +
      '`application/cloudevents-batch+json`.'
  },
  request_timeout: {
    status: 408,
    title: 'Request timeout',
    when: 'The request did not arrive completely in time.',
    remedy: 'Send it faster, or in smaller parts.'
  },
  super_stream_exists: {
    status: 409,
    title: 'A super stream has this name',
    when: 'A super stream has the name of the stream to create; `partitions` names its streams.',
    remedy: 'Use it by `/v1/super-streams/{superStream}`, or use another name.'
  },
  super_stream_differs: {
    status: 409,
    title: 'The super stream exists with other partitions',
    when: 'A super stream, an exchange or a stream of the name exists, or streams have the names of its partitions. ' +
      '`detail` names the difference, `partitions` what is there.',
    remedy: 'Use another name, or delete what is there first. A creation that was cut short leaves streams behind.'
  },
  stream_is_partition: {
    status: 409,
    title: 'The stream is a partition',
    when: 'The stream to delete is a partition of a super stream, which would then send messages to nowhere.',
    remedy: 'Delete the super stream with `DELETE /v1/super-streams/{superStream}`, or the partition alone with ' +
      '`force=true`.'
  },
  stream_arguments_differ: {
    status: 409,
    title: 'The stream exists with other arguments',
    when:
      'A stream of this name exists with other arguments than those given, or a queue of this name exists that is ' +
      'not a stream. Arguments that are left out are not compared.',
    remedy: 'Arguments of a stream cannot be changed: use another name, or delete it first.'
  },
  offset_goes_back: {
    status: 409,
    title: 'The offset goes back',
    when: 'A commit is below the offset that is stored.',
    remedy:
      'Another process committed in between, or the commit is late. To go back on purpose, use `POST .../offset/reset`.'
  },
  publisher_overtaken: {
    status: 409,
    title: 'Another process publishes under this name',
    when: 'While the messages were on their way, another process published under the same name with higher ' +
      'publishing ids. The broker may have dropped the messages as duplicates, although it confirmed them.',
    remedy:
      'Give each process a publisher name of its own, or let them take turns. `lastPublishingId` is the last id of ' +
      'the broker; `published` says how many messages are concerned. Sent again with the same ids, they are counted ' +
      'as duplicates, whether they are stored or not.'
  },
  publisher_exhausted: {
    status: 409,
    title: 'The publisher name is used up',
    when: 'The last publishing id of the name is 9007199254740991 or higher. The broker would take every further id ' +
      'for a duplicate, so nothing was sent.',
    remedy:
      'Use another publisher name: the broker cannot set the id back. `lastPublishingId` is the last id of this name.'
  },
  expectation_failed: {
    status: 412,
    title: 'The expectation does not hold',
    when: '`expected` is not the stored offset, or `expectedLastPublishingId` is not the last publishing id of the ' +
      'broker.',
    remedy:
      'If the current value is the one you wanted to store, an earlier try worked and only its answer was lost. ' +
      'Otherwise another process uses the same name: read the current value and decide again.'
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    when: 'A body, a message or a batch is over a limit; `detail` names the limit and its value.',
    remedy: 'Send less at once, or raise the limit.'
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    when: '`Content-Type` is not one of the types that this operation reads, or `Content-Encoding` names a coding ' +
      'that the gateway does not read.',
    remedy: 'Send one of the types of the operation. `Accept-Encoding` of the answer lists the codings that are read.'
  },
  offset_out_of_range: {
    status: 416,
    title: 'The offset is beyond the end',
    when: 'A read starts beyond the end of the stream; `firstOffset` and `lastOffset` are its bounds.',
    remedy: 'The stream was probably deleted and created again. Start at `first` or `last`.'
  },
  expectation_not_supported: {
    status: 417,
    title: 'Expectation not supported',
    when: 'The header `Expect` is not `100-continue`.',
    remedy: 'Leave it out.'
  },
  host_not_allowed: {
    status: 421,
    title: 'Host not allowed',
    when: 'The gateway does not go by the name in `Host`. A web page could otherwise give its own name the address ' +
      'of the gateway, and use it as if it were its own. Nothing of the request was read.',
    remedy: 'Name the host in `HTTP_ALLOWED_HOSTS`, or call the gateway by its address.'
  },
  no_route: {
    status: 422,
    title: 'The routing key leads to no partition',
    when: 'With `routing=key`: no partition of the super stream is bound with the routing key of the message.',
    remedy: 'Use a key that a partition is bound with: `GET /v1/super-streams/{superStream}` tells them. Or route by ' +
      'hash.'
  },
  offset_beyond_end: {
    status: 422,
    title: 'The offset is beyond the end',
    when: 'A commit or a reset names an offset that no message has yet.',
    remedy: 'Commit the offset of a message that was read.'
  },
  body_not_a_line: {
    status: 422,
    title: 'The message is not a line',
    when: 'A read of lines starts at a message with a line feed in its body; `offset` is its offset.',
    remedy: 'Read this message with `GET .../messages/{offset}/raw`, then continue at the next one.'
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    when: 'The caller has used up a quota, or too many logins from its address have failed.',
    remedy: 'Retry after `Retry-After`.'
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    when: 'The request line and the headers are larger than the limit.',
    remedy: 'Send fewer or smaller headers.'
  },
  ...PUSH_PROBLEMS,
  ...SERVER_PROBLEMS
} as const satisfies Record<ProblemCode, ProblemDefinition>
