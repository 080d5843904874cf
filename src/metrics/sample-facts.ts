import type { Sample } from '../ipc/messages';
import type { Labels } from '../ipc/readings';
import type { MetricName } from './catalogue';

/** One figure on its way into the store. */
export interface Fact<N extends string = MetricName> {
  name: N;
  labels: Labels;
  value: number;
}

const MS = 1_000;

/** What a sample counts beside its readings. */
export function sampleCounters(cluster: string, sample: Sample): Fact[] {
  const facts: Fact[] = [
    { name: 'cluster_cpu_seconds_total', labels: { cluster, mode: 'user' }, value: sample.cpuUserMs / MS },
    { name: 'cluster_cpu_seconds_total', labels: { cluster, mode: 'system' }, value: sample.cpuSystemMs / MS },
    { name: 'unhandled_rejections_total', labels: { cluster }, value: sample.unhandledRejections },
  ];
  for (const { id, events, identifies, resumes, closes } of sample.shards) {
    const labels = { cluster, shard: String(id) };
    facts.push(
      { name: 'shard_events_total', labels, value: events },
      { name: 'shard_identifies_total', labels, value: identifies },
      { name: 'shard_resumes_total', labels, value: resumes },
      { name: 'shard_disconnects_total', labels, value: closes },
    );
  }
  return facts;
}

export function sampleGauges(cluster: string, sample: Sample): Fact[] {
  const labels = { cluster };
  return [
    { name: 'cluster_resident_memory_bytes', labels, value: sample.rssBytes },
    { name: 'cluster_heap_used_bytes', labels, value: sample.heapUsedBytes },
    { name: 'cluster_heap_limit_bytes', labels, value: sample.heapLimitBytes },
    { name: 'cluster_event_loop_delay_mean_seconds', labels, value: sample.loopDelayMeanMs / MS },
    { name: 'cluster_event_loop_delay_p99_seconds', labels, value: sample.loopDelayP99Ms / MS },
    { name: 'cluster_event_loop_delay_max_seconds', labels, value: sample.loopDelayMaxMs / MS },
  ];
}
