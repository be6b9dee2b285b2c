// What a log says, without what only a terminal obeys.

/** How long a line grows, in characters, before what there is of it counts as said. */
const LONGEST = 65536;

// ECMA-48: a control sequence; a string that goes to the terminal itself, such as the title of its window,
// with the end that xterm allows beside the proper one; and any other escape sequence.
const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g;
/** The beginning of one, whose end has not come yet. */
const BEGUN = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Where in a line that begins and ends which is seen: behind the last return that something follows. */
function written(line) {
  let end = line.length;
  while (line[end - 1] === "\r") end -= 1;
  return [end === 0 ? 0 : line.lastIndexOf("\r", end - 1) + 1, end];
}

/** A line as it stands there in the end. */
function seen(line) {
  const text = line.replace(SEQUENCE, "");
  return text.slice(...written(text)).replace(CONTROL, "");
}

/**
 * Takes a log part by part, however it is cut. Gives what is said for good, and the last line as far as it has
 * come; in its place the next part gives what it is by then.
 */
export function terminal() {
  let line = "";
  return (part) => {
    const lines = (line + part).split("\n");
    line = lines.pop();
    let said = lines.map((line) => `${seen(line)}\n`).join("");
    const begun = BEGUN.exec(line)?.index ?? line.length;
    let last = seen(line.slice(0, begun));
    if (line.length > LONGEST) {
      const [over] = written(line);
      if (over > 0) {
        line = line.slice(over);
      } else {
        // A sequence as long as that is none.
        const cut = line.length - begun < LONGEST ? begun : line.length;
        said += seen(line.slice(0, cut));
        last = "";
        line = line.slice(cut);
      }
    }
    return [said, last];
  };
}
