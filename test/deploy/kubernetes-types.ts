import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../docs/support.ts'
import type { Node } from './yaml-node.ts'

// Where the types of Kubernetes have each kind.
const TYPES: Readonly<Record<string, string>> = {
  'apps/v1 Deployment': 'kubernetes-types/apps/v1',
  'v1 Service': 'kubernetes-types/core/v1',
  'v1 Secret': 'kubernetes-types/core/v1',
  'policy/v1 PodDisruptionBudget': 'kubernetes-types/policy/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'kubernetes-types/networking/v1',
  'monitoring.coreos.com/v1 ServiceMonitor': './service-monitor.ts'
}

// What this project uses of a kind that is not Kubernetes' own, from the definition of the Prometheus Operator.
const SERVICE_MONITOR = `
import type { LabelSelector, ObjectMeta } from 'kubernetes-types/meta/v1'
type Duration = \`\${number}s\` | \`\${number}m\`
export interface ServiceMonitor {
  apiVersion: 'monitoring.coreos.com/v1'
  kind: 'ServiceMonitor'
  metadata: ObjectMeta
  spec: {
    selector: LabelSelector
    jobLabel?: string
    targetLabels?: string[]
    namespaceSelector?: { any?: boolean, matchNames?: string[] }
    endpoints: Array<{
      port?: string, path?: string, scheme?: 'http' | 'https', interval?: Duration, scrapeTimeout?: Duration,
      honorLabels?: boolean
    }>
  }
}
`

const STRICT = [
  '--ignoreConfig', '--noEmit', '--allowImportingTsExtensions', '--strict', '--exactOptionalPropertyTypes',
  '--module', 'preserve', '--target', 'es2023', '--types', 'node'
]

/**
 * Holds manifests against the types of Kubernetes, which are made from its OpenAPI document: the compiler refuses a
 * field that is unknown, missing or of a wrong type.
 *
 * @returns what is wrong with each of them
 */
export async function typeFaults (objects: readonly Node[]): Promise<string[]> {
  // Within the project, so that imports find its packages.
  const folder = mkdtempSync('.manifests-')
  try {
    const checked = objects.map((object, index) => {
      const [version, kind] = [String(object['apiVersion']), String(object['kind'])]
      const module = TYPES[`${version} ${kind}`]
      if (module === undefined) throw new Error(`no types are known of ${version} ${kind}`)
      const file = join(folder, `manifest-${index}.ts`)
      writeFileSync(file, `export const it: import('${module}').${kind} = ${JSON.stringify(object, null, 2)}\n`)
      return file
    })
    writeFileSync(join(folder, 'service-monitor.ts'), SERVICE_MONITOR)
    const compiler = ['node_modules/typescript/bin/tsc', ...STRICT, ...checked]
    const { stdout, stderr } = await run(process.execPath, compiler, {})
    const faults = (stdout + stderr).split('\n').filter((line) => line !== '' && !line.startsWith(' '))
    const stray = faults.filter((line) => !checked.some((file) => line.startsWith(file)))
    if (stray.length > 0) throw new Error(stray.join('\n'))
    return checked.map((file) => faults.filter((line) => line.startsWith(file)).join('\n'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
