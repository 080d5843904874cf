import { ControlError, type MetricLatest, type MetricList, type MetricRange } from '../../control/contract';
import { HttpRequestError, type HttpMetrics } from '../../http';
import { answerMetrics, QueryError, type Metrics } from '../../metrics';

const BAD_REQUEST = 400;

/** Answers over the control socket. @throws ControlError */
export function controlMetrics(metrics: Metrics, params: URLSearchParams): MetricList | MetricRange | MetricLatest {
  try {
    return answerMetrics(metrics.queries, params, Date.now());
  } catch (error) {
    throw error instanceof QueryError ? new ControlError(BAD_REQUEST, error.message, error.hint) : error;
  }
}

/** Answers over HTTP. */
export function httpMetrics(metrics: Metrics): HttpMetrics {
  return {
    text: () => metrics.exposition.text(),
    contentType: metrics.exposition.contentType,
    answer: (params) => {
      try {
        return answerMetrics(metrics.queries, params, Date.now());
      } catch (error) {
        throw error instanceof QueryError ? new HttpRequestError(BAD_REQUEST, error.message, error.hint) : error;
      }
    },
  };
}
