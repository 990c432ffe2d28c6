// inspect looks at a page as somebody does who cannot see it, sees it badly, has no
// mouse, or holds a telephone; it returns what is wrong.
export async function inspect(page, width) {
  const faults = [];
  if ((await page.getByRole("heading", { level: 1 }).count()) !== 1) faults.push("not one heading of the first level");
  if ((await page.getByRole("main").count()) !== 1) faults.push("no main part");
  if (!(await page.title())) faults.push("no title");
  const tree = await page.locator("body").ariaSnapshot();
  for (const line of tree.split("\n")) {
    if (/- (button|link|textbox|checkbox|radio|combobox)(?! ")/.test(line)) faults.push(`nameless: ${line.trim()}`);
  }
  faults.push(...(await page.evaluate(measure, width)));
  return faults;
}

// measure runs in the page.
function measure(width) {
  const faults = [];
  const short = (e) => `<${e.tagName.toLowerCase()}> ${e.textContent.trim().slice(0, 40)}`;
  if (!document.documentElement.lang) faults.push("no language");
  if (document.documentElement.scrollWidth > width) faults.push(`${document.documentElement.scrollWidth} px wide on a screen of ${width}`);
  for (const e of document.querySelectorAll("button, input:not([type=hidden]):not([type=checkbox])")) {
    const box = e.getBoundingClientRect();
    if (box.height < 44) faults.push(`${Math.round(box.height)} px high, too small for a finger: ${short(e)}`);
    if (box.left < 0 || box.right > width + 1) faults.push(`beyond the edge: ${short(e)}`);
  }
  // Colours as numbers, of text and of what is behind it (WCAG 2.2, 1.4.3).
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  for (const e of document.body.querySelectorAll("*")) {
    const says = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (!says || e.closest("style") || !e.checkVisibility() || e.closest(":disabled")) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(e).color)), luminance(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(1)}: ${short(e)}`);
  }
  return faults;
}
