import { renderProgress } from '../../../src/cli/render/progress';

const plain = { color: false, unicode: true };

test('each line says how it stands', () => {
  expect(renderProgress({ done: false, text: 'cluster 3 stops\u001b[2J' }, plain)).toBe('○ cluster 3 stops\n');
  expect(renderProgress({ done: true, ok: true, text: 'stopped' }, plain)).toBe('● stopped\n');
  expect(renderProgress({ done: true, ok: false, text: 'failed' }, { color: false, unicode: false })).toBe(
    '! failed\n',
  );
});
