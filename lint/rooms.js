/*
 * The architecture as data: rooms, arrows, and which room may use which package. The rule `architecture/rooms` holds
 * every import of src/ and console/ to it, type imports included.
 *
 * A room is a file or a folder, without `src/` and without the extension: `config` is src/config.ts, and src/config/ if
 * it becomes a folder. `routes/*` makes a room of each file and folder in routes/. The longest name that covers a file
 * is its room. Within a room all imports are allowed.
 *
 * An arrow names a room, a folder with all rooms in it, or one file: outside of the domain only its face may be
 * imported, `streams/index`. A test proves that the arrows form no circle.
 */

/** What every room of the domain may import, apart from the rooms that deal with bytes. */
const shared = ['common', 'errors', 'classify', 'ended', 'offset']

/** @type {Readonly<Record<string, readonly string[]>>} */
export const rooms = {
  server: ['main', 'commands'],
  // What the process does in place of serving. A command needs the settings at most, and never the application.
  commands: ['access', 'config', 'settings', 'text', 'version'],
  main: ['app', 'config', 'logger', 'settings'],
  app: ['plugins', 'routes', 'config', 'http/server-limits', 'version'],

  // A plugin serves all routes and knows none. A route gets what it needs by its arguments and decorators.
  plugins: ['config', 'version', 'http', 'live', 'push', 'api', 'messages', 'streams/index', 'access', 'text'],
  'routes/*': ['http', 'live', 'push', 'api', 'messages', 'streams/index', 'access', 'text'],

  config: ['settings'],
  settings: ['text', 'access'],
  logger: [],
  version: [],

  http: ['access', 'api', 'streams/index', 'text'],
  api: ['access', 'push/push-error', 'push/definitions/definition', 'streams/index', 'text'],

  // No Fastify and no statuses: deliveries and live reads use them without a route.
  push: ['push/definitions/definition', 'push/push-error', 'messages', 'access', 'streams/index', 'text'],
  // The two that the vocabulary of the API has the words of. They know nothing else, so there is no circle.
  'push/definitions/definition': [],
  'push/push-error': [],
  live: ['messages', 'streams/index', 'text'],
  // Of the vocabulary they use what knows no problem and no status.
  messages: ['api/by-name', 'api/field-error', 'api/schema-error', 'streams/index', 'text'],
  access: ['text'],
  text: [],

  // The web console is a client of the HTTP API.
  console: [],

  ...inside('streams', {
    // The brokers of callers beside the gateway's own: they share limits, and nothing of streams.
    'broker-set': ['broker', 'broker-options', 'broker-stats', 'shared', 'connections', 'management'],
    broker: [
      'administration', 'broker-options', 'broker-stats', 'broker-status', 'ports', 'sampling', 'directory',
      'consuming', 'reading', 'publishing', 'topology', 'connections', 'management', ...shared
    ],
    administration: [
      'broker-options', 'ports', 'directory', 'partitions', 'publishing', 'topology', 'connections', ...shared
    ],
    'broker-options': ['shared', 'publishing', 'reading', 'connections', 'management', 'protocol/index', 'common'],
    shared: ['publishing', 'reading', 'connections', 'common'],
    'broker-stats': [],
    'broker-status': ['connections', ...shared],
    ports: [
      'merging', 'directory', 'consuming', 'reading', 'partitions', 'publishing', 'topology', 'management',
      'message-batch', ...shared
    ],
    // Streams and consumers looked at again and again, for metrics.
    sampling: ['consuming', 'topology', 'management', ...shared],
    directory: ['consuming', 'topology', 'connections', 'management', ...shared],
    // Super streams: reads and consumers of several partitions as one.
    merging: ['consuming', 'reading', 'topology', ...shared],
    consuming: ['reading', 'topology', 'connections', ...shared],
    // Where the messages of a super stream go.
    partitions: ['publishing', 'topology', 'connections', 'message-batch', 'protocol/index', ...shared],
    // Publishing and reading do not know each other.
    reading: ['topology', 'connections', 'protocol/index', 'amqp/index', 'filter-value', ...shared],
    publishing: ['topology', 'connections', 'message-batch', 'entries', 'protocol/index', ...shared],
    topology: ['connections', 'management', 'protocol/index', ...shared],
    connections: ['protocol/index', ...shared],
    'message-batch': ['entries', 'protocol/index', 'amqp/index'],
    entries: ['protocol/index'],
    'filter-value': [],
    management: ['errors'],
    classify: ['errors', 'protocol/index'],
    ended: ['errors'],
    errors: [],
    offset: [],
    common: [],
    // Bytes only: both could be published alone.
    protocol: [],
    amqp: []
  }),
  'streams/index': ['streams']
}

/**
 * Which rooms may import a package. A package that is not named here is open to none of them, a module of Node.js that
 * is not named here to all.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const packages = {
  // HTTP stays at the edge.
  fastify: ['app', 'plugins', 'routes', 'http'],
  'fastify-plugin': ['plugins'],
  '@fastify/cors': ['plugins'],
  '@fastify/swagger': ['plugins'],
  '@fastify/swagger-ui': ['plugins'],
  '@fastify/type-provider-typebox': ['http', 'routes'],
  'node:http': ['main', 'plugins', 'routes', 'http', 'commands'],
  'node:https': ['main', 'plugins', 'commands'],
  'node:http2': [],

  // Formats have schemas; the domain has none.
  '@sinclair/typebox': ['plugins', 'routes', 'api', 'messages'],
  ajv: ['messages', 'access', 'plugins'],
  // Signatures of tokens are verified in one place.
  jose: ['access/tokens'],

  // Loaded only where spans are made.
  '@opentelemetry/api': ['plugins/tracing'],
  '@opentelemetry/exporter-trace-otlp-http': ['plugins/tracing'],
  '@opentelemetry/resources': ['plugins/tracing'],
  '@opentelemetry/sdk-trace-base': ['plugins/tracing'],

  // The network.
  'ipaddr.js': ['push/endpoint'],
  undici: ['push/endpoint', 'streams/management', 'plugins/provider-documents'],
  // Settings and the edge only ask whether a text is an address.
  'node:net': ['main', 'settings', 'plugins', 'http', 'push/endpoint', 'streams/protocol'],
  'node:tls': ['plugins', 'access/certificates', 'streams/protocol'],

  // The process itself, its output and its figures.
  'node:process': ['main'],
  'node:child_process': [],
  // The start reads files in main.ts. What is read again while the process runs belongs to a plugin, which ends with
  // the app.
  'node:fs': ['main', 'plugins', 'commands'],
  'close-with-grace': ['main'],
  pino: ['logger'],
  'prom-client': ['plugins']
}

/**
 * Rooms and arrows that all lie in one folder.
 * @param {string} folder
 * @param {Record<string, readonly string[]>} inner
 */
function inside (folder, inner) {
  return Object.fromEntries(Object.entries(inner).map(([room, arrows]) =>
    [`${folder}/${room}`, arrows.map((arrow) => `${folder}/${arrow}`)]))
}
