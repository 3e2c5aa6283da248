/** The catalogue: what is known of every program. The metrics of one's own are declared by the option `metrics`. */
import { gauge } from '../../src/metric.ts';

const labels = ['check'] as const;

export const metrics = {
  status: gauge('status', {
    ...{ labels, unit: 'code', source: 'the exit status, Monitoring Plugins guidelines' },
    help: '0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, as the program ended; with format nagios.',
  }),
  values: gauge('values', {
    ...{ labels, unit: 'values', source: 'the output' },
    help: 'Values that the program printed, sent or not.',
  }),
  undeclared: gauge('undeclared', {
    ...{ labels, unit: 'values', source: 'the output' },
    help: 'Values that the program printed and no metric declares; those to ignore are none of them.',
  }),
  missing: gauge('missing', {
    ...{ labels, unit: 'metrics', source: 'the output' },
    help: 'Declared metrics of which the program printed no number.',
  }),
};
