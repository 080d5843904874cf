/* Whatever comes from the bot goes into the page as text, never as markup. */

type Child = Node | string | null;

/** An element with a class and children; null children are left out. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = '',
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  if (className !== '') node.className = className;
  node.append(...present(children));
  return node;
}

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string | number>,
  ...children: SVGElement[]
): SVGElementTagNameMap[Tag] {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** The element of the document that has this id. @throws if the document has none */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

export function put(node: HTMLElement, ...children: Child[]): void {
  node.replaceChildren(...present(children));
}

/** Leaves the text alone if it is there already: a live region would be read out again, a selection lost. */
export function say(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Redraws only if `key` is not what was drawn last. */
export function redraw(node: HTMLElement, key: string, draw: () => Child[]): void {
  if (node.dataset['drawn'] === key) return;
  node.dataset['drawn'] = key;
  put(node, ...draw());
}

/** Read out by screen readers after what they are reading now. */
export function announce(text: string): void {
  say(byId('announcer'), text);
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.filter((child) => child !== null);
}
