// What a page of reports is held to, asked of the page itself: contrast (WCAG 2.2, 1.4.3), names, size, overflow.
(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
  };
  const seen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && node.getClientRects().length > 0;
  globalThis.reportChecks = {
    faint() {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const found = [];
      while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !seen(node) || node.closest("script, noscript, option, [disabled], .aside")) continue;
        const back = behind(node);
        const [a, b] = [light(over(parse(getComputedStyle(node).color), back)), light(back)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.className || node.tagName}: ${walker.currentNode.data.slice(0, 30)}`);
      }
      return [...new Set(found)];
    },
    nameless() {
      const all = [...document.querySelectorAll("button, a, select, summary, [role=slider], [tabindex='0'], svg[role=img]")];
      const name = (node) => node.getAttribute("aria-label") || node.closest("label")?.textContent.trim() || node.textContent.trim();
      return all.filter((node) => !name(node)).map((node) => node.outerHTML.slice(0, 80));
    },
    doubled() {
      const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
      return ids.filter((id, n) => ids.indexOf(id) !== n);
    },
    loose() {
      const names = ["aria-labelledby", "aria-describedby"];
      return names.flatMap((name) => [...document.querySelectorAll(`[${name}]`)].map((node) => node.getAttribute(name))).filter((id) => !document.getElementById(id));
    },
    sideways: () => document.documentElement.scrollWidth - innerWidth,
  };
})();
