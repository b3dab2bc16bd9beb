/**
 * A `document` for xterm.js, whose renderer writes style sheets and style attributes as text. The page's content security policy forbids both. The
 * same styles, given by way of the object model, it allows: a sheet as a constructed one, an attribute by `style.cssText`.
 */
export function styledDocument(real: Document): Document {
  return new Proxy(real, {
    get(target, property) {
      if (property === "createElement") return (name: string) => styled(target, name);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function styled(document: Document, name: string): HTMLElement {
  if (name === "style") return styleHolder(document);
  const element = document.createElement(name);
  const setAttribute = element.setAttribute.bind(element);
  element.setAttribute = (attribute, value) => {
    if (attribute === "style") element.style.cssText = value;
    else setAttribute(attribute, value);
  };
  return element;
}

/** Stands where the style element would, and keeps a constructed sheet in step with its text for as long as it is not removed. */
function styleHolder(document: Document): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const holder = document.createElement("span");
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
