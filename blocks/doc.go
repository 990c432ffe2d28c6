// Package blocks reads the blocks of ClickHouse's Native format, as its native
// protocol sends them at the revision 54460 or a little later, and prints their
// values byte for byte as ClickHouse's own text formats do.
//
//	bytes ─▶ Reader (block.go) ─▶ Block: a column for each type (kind.go)
//	                                │
//	   numbers.go times.go texts.go ┤ nested.go dictionary.go variant.go object.go
//	   words.go floats.go           │ with shortest.go and digits.go, for digits
//	                                ▼
//	              Printer (printer.go): rows in a Format, in a style (style.go)
//
// The rules:
//   - What cannot be printed exactly is refused by name, with an *Unprintable, before
//     a value of it is printed. Only what a Dynamic or a JSON holds is known no earlier
//     than its block.
//   - Whoever sends the bytes is not trusted: a size is compared with what a block may
//     have before memory is taken for it, memory is taken as bytes arrive, and types
//     are nested only so deep.
//   - One block is in memory at a time, and one row is printed at a time. What all
//     answers take together has a Room (memory.go).
package blocks
