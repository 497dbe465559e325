// Block YAML of plain data, read alike by YAML 1.1 and 1.2.

const PLAIN_WORD = /^[A-Za-z][A-Za-z0-9_-]*$/;
const READ_AS_OTHER = /^(y|n|yes|no|on|off|true|false|null)$/i;
// JSON leaves these as they are; YAML takes some for line ends and refuses others.
const NOT_PRINTABLE = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

const yamlScalar = (value) =>
  typeof value !== "string" ? JSON.stringify(value)
  : PLAIN_WORD.test(value) && !READ_AS_OTHER.test(value) ? value
  : JSON.stringify(value).replace(NOT_PRINTABLE, escaped);

const isNested = (value) => value !== null && typeof value === "object" && Object.keys(value).length > 0;

// Lines of a mapping or a list, each indented by `indent`.
const yamlLines = (data, indent = "") =>
  Object.entries(data).flatMap(([key, value]) => {
    const start = `${indent}${Array.isArray(data) ? "-" : `${yamlScalar(key)}:`}`;
    const inLine = !isNested(value) || (Array.isArray(value) && !value.some(isNested));
    return inLine ? [`${start} ${Array.isArray(value) ? `[${value.map(yamlScalar).join(", ")}]` : yamlScalar(value)}`]
      : [start, ...yamlLines(value, `${indent}  `)];
  });
