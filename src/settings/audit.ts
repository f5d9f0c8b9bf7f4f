import type { SettingReader } from './setting-reader.ts'

/** The audit log. */
export function readAudit (read: SettingReader) {
  return {
    log: read.choice(
      'AUDIT_LOG',
      ['off', 'changes', 'all'],
      'changes',
      'Which lines the audit log has. `changes`: refusals, callers that are seen for the first time, streams created ' +
      'and deleted, offsets reset. `all`: also publishes and stored offsets'
    ),
    path: read.optionalText(
      'AUDIT_LOG_PATH',
      'File that the lines are appended to, as JSON. Without it they are in the log'
    )
  }
}
