/** The catalogue: what the log tells of alerts, by what, when and where; and how the log itself is followed. */
import { counter, gauge } from '../../src/metric.ts';

const alert = 'HOST ALERT, SERVICE ALERT';
const flapping = 'HOST FLAPPING ALERT, SERVICE FLAPPING ALERT';
const states = 'ALERT, CURRENT STATE, INITIAL STATE';
const follow = 'the file and its place';

export const metrics = {
  alerts: counter('alerts', {
    ...{ unit: 'alerts', labels: ['object', 'state', 'state_type'], source: alert },
    help: 'Changes of state: object is host or service, state_type is hard or soft (still being retried).',
  }),
  flapping: counter('flapping_alerts', {
    ...{ unit: 'alerts', labels: ['object', 'change'], source: flapping },
    help: 'Hosts or services that started or stopped flapping (or of which flap detection was disabled).',
  }),
  hostAlerts: counter('host_alerts', {
    ...{ unit: 'alerts', labels: ['host', 'state', 'state_type'], source: 'HOST ALERT' },
    help: 'The same, of one host that the option hosts selects.',
  }),
  serviceAlerts: counter('service_alerts', {
    ...{ unit: 'alerts', labels: ['host', 'service', 'state', 'state_type'], source: 'SERVICE ALERT' },
    help: 'The same, of one service that the option services selects.',
  }),
  otherAlerts: counter('other_alerts', {
    ...{ unit: 'alerts', labels: ['object', 'state', 'state_type'], source: alert },
    help: 'Of all hosts or services that have no series of their own, where some have.',
  }),
  hostFlapping: counter('host_flapping_alerts', {
    ...{ unit: 'alerts', labels: ['host', 'change'], source: 'HOST FLAPPING ALERT' },
    help: 'Flapping that started or stopped, of one selected host.',
  }),
  serviceFlapping: counter('service_flapping_alerts', {
    ...{ unit: 'alerts', labels: ['host', 'service', 'change'], source: 'SERVICE FLAPPING ALERT' },
    help: 'Flapping that started or stopped, of one selected service.',
  }),
  otherFlapping: counter('other_flapping_alerts', {
    ...{ unit: 'alerts', labels: ['object', 'change'], source: flapping },
    help: 'Of all hosts or services that have no series of their own, where some have.',
  }),
  hardProblems: gauge('hard_problems', {
    ...{ unit: 'problems', labels: ['object', 'state'], source: states },
    help: 'Hosts or services that are in this state and HARD, as far as the log told (states_known).',
  }),
  statesKnown: gauge('states_known', {
    ...{ unit: 'boolean', labels: ['object'], source: states },
    help: '1: the log has listed the states of all hosts or services, so hard_problems is all; 0: it is the least.',
  }),
  hostProblem: gauge('host_problem', {
    ...{ unit: 'boolean', labels: ['host'], source: states },
    help: '1 while a selected host has a hard problem.',
  }),
  serviceProblem: gauge('service_problem', {
    ...{ unit: 'boolean', labels: ['host', 'service'], source: states },
    help: '1 while a selected service has a hard problem.',
  }),
  behind: gauge('behind_bytes', {
    ...{ unit: 'bytes', source: follow },
    help: 'What is in the log and its rotated files and not read yet.',
  }),
  lines: counter('lines', {
    ...{ unit: 'lines', source: follow },
    help: 'Lines read, of whatever type.',
  }),
  unreadable: counter('unreadable_lines', {
    ...{ unit: 'lines', source: follow },
    help: 'Lines that are none of such a log, or are broken.',
  }),
  rotations: counter('rotations', {
    ...{ unit: 'rotations', source: follow },
    help: 'Times that a next file was begun, after the one before was read to its end.',
  }),
  gaps: counter('log_gaps', {
    ...{ unit: 'gaps', source: follow },
    help: 'Times that the rest of a log was not found after it was rotated or truncated: alerts may be missing.',
  }),
  leftOut: counter('events_left_out', {
    ...{ unit: 'events', source: alert },
    help: 'Hard problems and recoveries that were counted and not offered as events: too many in one run.',
  }),
};
