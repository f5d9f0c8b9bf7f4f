import { parseHostPatterns, parseOrigins, parsePathPrefix, parseTrustedProxies } from './addresses.ts'
import type { SettingReader } from './setting-reader.ts'
import { readTls } from './tls.ts'
import { KIB, MIB } from './units.ts'

/** The HTTP server. */
export function readHttp (read: SettingReader) {
  return {
    ...readListening(read),
    tls: readTls(read),
    ...readProxies(read),
    ...readBrowsers(read),
    ...readClients(read)
  }
}

function readProxies (read: SettingReader) {
  return {
    pathPrefix: read.parsed(
      'HTTP_PATH_PREFIX',
      parsePathPrefix,
      '',
      'path like `/gw`',
      'The path under which a proxy shows the gateway. It is put before every path that the gateway hands out, and ' +
      'cut off from requests that still have it'
    ),
    trustedProxies: read.parsed(
      'TRUST_PROXY',
      parseTrustedProxies,
      [],
      'addresses and CIDRs, separated by commas',
      'Proxies whose `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Prefix` are believed. They have to set ' +
      'or remove all three'
    )
  }
}

function readBrowsers (read: SettingReader) {
  return {
    allowedHosts: read.parsed(
      'HTTP_ALLOWED_HOSTS',
      parseHostPatterns,
      [],
      'host names, separated by commas; `*.example.com` is every name below',
      'Further names under which the gateway is called. Addresses, names without a dot, and names that end in ' +
      '`.localhost`, `.local`, `.internal`, `.svc` or `.svc.cluster.local` are always allowed. Other requests are ' +
      'refused with 421 `host_not_allowed`. With authentication every name is allowed, unless this setting lists some'
    ),
    corsOrigins: read.parsed(
      'CORS_ORIGINS',
      parseOrigins,
      [],
      'origins like `https://app.example.com`, separated by commas',
      'Web pages of other origins that may use the gateway. `*` is every page, and needs authentication (`AUTH`)'
    )
  }
}

function readListening (read: SettingReader) {
  return {
    host: read.text(
      'HTTP_HOST',
      '127.0.0.1',
      /^\S+$/,
      'a host name or an address',
      'Address to listen on. On any address but a loopback one, the gateway does not start without `AUTH`'
    ),
    port: read.integer(
      'HTTP_PORT',
      { default: 8080, min: 0, max: 65_535 },
      'Port to listen on; 0 takes a free port and logs it'
    ),
    maxBodyBytes: read.integer(
      'HTTP_MAX_BODY_BYTES',
      { default: 16 * MIB, min: 1 * KIB, max: 1024 * MIB },
      'Largest body that is read whole: JSON and single messages'
    ),
    maxStreamedBodyBytes: read.integer(
      'HTTP_MAX_STREAMED_BODY_BYTES',
      { default: 1024 * MIB, min: 1 * KIB, max: 1024 * 1024 * MIB },
      'Largest body that is published while it arrives: NDJSON and lines'
    ),
    bodyBudgetBytes: read.integer(
      'HTTP_BODY_BUDGET_BYTES',
      { default: 256 * MIB, min: 1 * KIB, max: 1024 * 1024 * MIB },
      'Most bytes of bodies read whole that are held at once; above it requests are refused with 503 `overloaded`'
    ),
    compressResponses: read.choice(
      'HTTP_COMPRESS_RESPONSES',
      ['false', 'true'],
      'false',
      'Whether answers of 1 KiB and more are compressed for clients that accept it (`Accept-Encoding`): gzip, br, ' +
      'and zstd with Node.js 22.15 or newer'
    ) === 'true'
  }
}

function readClients (read: SettingReader) {
  return {
    maxHeaderBytes: read.integer(
      'HTTP_MAX_HEADER_BYTES',
      { default: 16 * KIB, min: 4 * KIB, max: 1 * MIB },
      'Largest request line and headers together'
    ),
    maxConnections: read.integer(
      'HTTP_MAX_CONNECTIONS',
      { default: 10_000, min: 1, max: 1_000_000 },
      'Most connections kept at once; further ones are closed when they arrive'
    ),
    maxRequestsPerConnection: read.integer(
      'HTTP_MAX_REQUESTS_PER_CONNECTION',
      { default: 0, min: 0, max: 1_000_000_000 },
      'A connection is closed after this number of requests, so that clients spread over instances; 0 is no limit'
    ),
    connectionTimeoutMs: read.integer(
      'HTTP_CONNECTION_TIMEOUT_MS',
      { default: 120_000, min: 1000, max: 3_600_000 },
      'A connection on which no bytes moved for this time is closed, also in the middle of an answer'
    ),
    headersTimeoutMs: read.integer(
      'HTTP_HEADERS_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 3_600_000 },
      'How long a client may take to send the headers'
    ),
    requestTimeoutMs: read.integer(
      'HTTP_REQUEST_TIMEOUT_MS',
      { default: 300_000, min: 1000, max: 3_600_000 },
      'How long a client may take to send the whole request'
    ),
    keepAliveTimeoutMs: read.integer(
      'HTTP_KEEP_ALIVE_TIMEOUT_MS',
      { default: 72_000, min: 0, max: 3_600_000 },
      'An idle connection is closed after this time. Set it longer than the proxy in front keeps its own'
    )
  }
}
