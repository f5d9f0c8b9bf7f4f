import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { list, record } from './schema-values.ts'

/** The folder with the rules for Prometheus. */
export const RULES_FOLDER = 'deploy/prometheus'
/** The text of the rules. */
export const RULES = readFileSync(`${RULES_FOLDER}/alerts.yaml`, 'utf8')

/** A rule: it records a series, or it is an alert. */
export interface Rule { name: string, isAlert: boolean, expression: string }

const groups = list(record(parse(RULES))['groups']).map(record)

/** All rules. */
export const rules: readonly Rule[] = groups.flatMap((group) => list(group['rules']).map(record)).map((rule) => ({
  name: String(rule['alert'] ?? rule['record']), isAlert: 'alert' in rule, expression: String(rule['expr'])
}))

/** The names of metrics of the gateway in an expression. */
export function metricsIn (expression: string): string[] {
  return [...expression.matchAll(/\b(?:rabbitmq_stream_gateway|nodejs|process)_\w+/g)].map(([name]) => name)
}
