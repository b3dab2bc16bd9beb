/**
 * xterm.js writes style sheets of its own into the page, which the page's content security policy forbids; constructed ones it allows. So a terminal is
 * opened with a document whose style elements are stand-ins that keep a constructed sheet.
 */
export function openStyled(open: (document: Document) => void): void {
  const create = document.createElement;
  const styled = (name: string, options?: ElementCreationOptions): HTMLElement =>
    name === "style" ? styleHolder(create) : create.call(document, name, options);
  // Not every part of xterm.js asks the document that it is given (`documentOverride`): for as long as it opens, the page's own answers the same way.
  document.createElement = styled;
  try {
    open(
      new Proxy(document, {
        get(target, property) {
          if (property === "createElement") return styled;
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    );
  } finally {
    document.createElement = create;
  }
}

/** Stands where the style element would, and keeps a constructed sheet in step with its text until it is removed. */
function styleHolder(create: Document["createElement"]): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const holder = create.call(document, "span");
  holder.hidden = true;
  Object.defineProperty(holder, "textContent", {
    get: () => "",
    set: (text: string) => sheet.replaceSync(text),
  });
  holder.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(holder);
  };
  return holder;
}
