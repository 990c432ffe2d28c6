// Counts the tokens of texts as o200k does. $TEXTS is a file, a JSON object of texts by
// name; prints their counts by name.
import { readFileSync } from "node:fs";
import { encode } from "gpt-tokenizer/encoding/o200k_base";

const counts = Object.entries(JSON.parse(readFileSync(process.env.TEXTS))).map(([name, text]) => [name, encode(text).length]);
console.log(JSON.stringify(Object.fromEntries(counts)));
