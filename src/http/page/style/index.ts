import { BASE_STYLE } from './base';
import { CHART_STYLE } from './charts';
import { GRID_STYLE } from './grid';
import { TABLE_STYLE } from './tables';

/** The whole style sheet; what is for narrow screens comes last in each part. */
export const PAGE_STYLE = [BASE_STYLE, GRID_STYLE, CHART_STYLE, TABLE_STYLE].join('\n');
